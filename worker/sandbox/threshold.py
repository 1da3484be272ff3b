"""What is done as root on the way into a bubblewrap cell, before root is given up for good.

In a mount namespace of its own, which ends with the cell and is seen by nobody else: places to
write that are bounded in bytes and in files, and a layer over each shared folder. Through the layer
a file is another one than next door, so that locks and watches tell no cell what another one does.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.sandbox import Limits

_FAIL = "set -eu"
_COUNTED_FIRST = "echo 1000 > /proc/self/oom_score_adj || true"
_INTO = 'exec "$@"'


@dataclass(frozen=True, slots=True)
class Threshold:
    """The folders that a cell's mounts are put on, below one of its own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Threshold":
        """Empty folders to mount on, below `folder`."""
        for name in ("tmp", "shm", "empty"):
            (folder / name).mkdir(parents=True)
        return cls(folder)

    @property
    def tmp(self) -> Path:
        """What the inside knows as /tmp."""
        return self.folder / "tmp"

    @property
    def shm(self) -> Path:
        """What the inside knows as /dev/shm."""
        return self.folder / "shm"

    def layer(self, name: str) -> Path:
        """Where a shared folder is seen through a layer of the cell's own."""
        place = self.folder / f"layer-{name}"
        place.mkdir(exist_ok=True)
        return place

    def command(
        self, limits: Limits, *, layers: Mapping[Path, Path], doors: Sequence[Path]
    ) -> list[str]:
        """The beginning of a command line that does all this and runs the rest of it.

        `layers` maps a place from `layer` to the folder that is shown there; where no layer is
        possible it is shown as it is. `doors` are those of the cell's control group.
        """
        room = f"size={limits.tmp},nr_inodes={limits.inodes},mode=1777,nosuid,nodev"
        steps = [
            _FAIL,
            *(f"echo 0 > {_quoted(door)}" for door in doors),
            _COUNTED_FIRST,
            *(f"mount -t tmpfs -o {room} tmpfs {_quoted(one)}" for one in (self.tmp, self.shm)),
            *(self._layered(place, shown) for place, shown in layers.items()),
            _INTO,
        ]
        separate = ("unshare", "--mount", "--propagation", "private", "--")
        return [*separate, "/bin/sh", "-c", "\n".join(steps), "rostrum"]

    def _layered(self, place: Path, shown: Path) -> str:
        lower = _quoted(f"ro,lowerdir={shown}:{self.folder / 'empty'}")
        plain = f"mount --bind {_quoted(shown)} {_quoted(place)}"
        return f"mount -t overlay -o {lower} overlay {_quoted(place)} 2>/dev/null || {plain}"


def _quoted(text: Path | str) -> str:
    return shlex.quote(str(text))
