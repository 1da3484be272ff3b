"""Whose cell is this: each process that starts cells holds a lock, which dies with the process.

A cell's folder and its container name their owner. Whoever finds that owner's lock free knows that
nobody will end the cell any more, and may: a worker that was killed leaves nothing for longer than
until the next look, however late its cells' own deadlines are.
"""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

FORGOTTEN_SECONDS = 7 * 86_400.0
"""A dead owner's lock file is kept for longer than any cell of it could be."""

_ours: dict[tuple[Path, int], str] = {}
_guard = Lock()


def mine(folder: Path) -> str:
    """The name of this process among the owners of `folder`; its lock is held until it ends."""
    key = (folder, os.getpid())  # a fork holds its parent's lock as well, and so needs its own
    with _guard:
        if key not in _ours:
            _ours[key] = _enter(folder)
        return _ours[key]


def is_dead(folder: Path, owner: str) -> bool:
    """Whether the process of this name has ended; false for a name that is not known here."""
    if not owner.isalnum():
        return False
    try:
        descriptor = os.open(folder / owner, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def forget(folder: Path) -> None:
    """Remove the lock files of those that ended long ago."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            old = path.lstat().st_mtime < time.time() - FORGOTTEN_SECONDS
            if old and is_dead(folder, path.name):
                path.unlink()


def _enter(folder: Path) -> str:
    """Take the lock of a new name; nobody knows the name before it is held."""
    owner = secrets.token_hex(4)
    descriptor = os.open(folder / owner, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return owner
