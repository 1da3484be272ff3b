"""Curves of a training as TensorBoard reads them: `tensorboard --logdir FOLDER`."""

from collections.abc import Mapping
from pathlib import Path


class Log:
    """Event files in a folder; without a folder, or without tensorboardX, nothing is written.

    `after` is the update that a resumed training goes on from: what was logged later is void.
    """

    def __init__(self, folder: Path | None, *, after: int = 0) -> None:
        self.writer = None
        if folder is None:
            return
        try:
            from tensorboardX import SummaryWriter
        except ImportError:  # it comes with the extra [torch]; torch alone is enough to train
            return
        purge = after + 1 if after else None
        self.writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=10)

    def write(self, group: str, values: Mapping[str, float], *, update: int) -> None:
        """Numbers by name, as `group/name`, after an update."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(f"{group}/{name}", value, update)

    def close(self) -> None:
        """Write what is waiting."""
        if self.writer is not None:
            self.writer.close()
