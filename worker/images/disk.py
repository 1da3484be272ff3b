"""A full disk is ours: how much of it is used, and its error in the words of the house."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import OperatorError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def ours_if_full() -> Iterator[None]:
    """Turn "no space left" of what *we* write into `OperatorError("disk_full")`.

    Only around code that writes as the worker: an agent's own full disk is an agent's affair.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OperatorError("disk_full", message=f"no space left: {error.filename}") from error


def used_percent(folder: Path) -> float:
    """How full the disk of `folder` is, as `df` says it: of what may be used at all."""
    found = shutil.disk_usage(folder)
    return 100.0 * found.used / max(1, found.used + found.free)
