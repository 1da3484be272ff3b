"""The folder in which a long command works: one run at a time, gone on with later."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

_LOCK = ".rostrum-trials"
"""The file that is locked, by which a folder is also known again as such a place."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is ours alone, and the descriptor of its lock."""

    folder: Path
    lock: int


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """The folder, made if absent, ours alone while this lasts.

    A command that is given the lock keeps others away too, should we be killed before it ends.
    `UsageError` where another run has the folder, or where it holds other things.
    """
    if folder.exists() and not _is_free(folder):
        raise UsageError(f"{folder} holds other things; choose another --out, or an empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(f"cannot work in {folder}: {error.strerror}; choose another") from error
    try:
        _take(lock, folder)
        yield Place(folder.resolve(), lock)
    finally:
        os.close(lock)


def _is_free(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _LOCK).is_file() or not any(folder.iterdir()))


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(
            f"another run works in {folder}; wait for its end or choose another --out"
        ) from error
