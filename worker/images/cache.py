"""Folders that are made once and then only read, by any number of processes at a time."""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from harness.errors import UsageError
from worker.settings import from_environment
from worker.stopped import Stopped

LOCK_SECONDS = 1800.0
"""How long to wait for another process that is making the same thing."""


def cache_folder() -> Path:
    """Where downloads are kept: `ROSTRUM_CACHE_DIR`, by default `~/.cache/rostrum`."""
    folder = from_environment().cache_directory
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made by `make(folder)` if it is not there yet.

    The folder takes its name only when it is complete: a killed maker leaves nothing that looks
    finished, and two makers wait for each other.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target):
        if target.is_dir():
            return target
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            fresh.chmod(0o755)
            make(fresh)
            fresh.rename(target)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return target


@contextmanager
def locked(
    target: Path, *, seconds: float = LOCK_SECONDS, stop: Event | None = None
) -> Iterator[None]:
    """Hold the lock beside `target`; `UsageError` if another process keeps it for too long,
    `Stopped` if `stop` is set meanwhile."""
    path = target.with_name(f".{target.name}.lock")
    deadline = time.monotonic() + seconds
    with path.open("ab") as handle:
        while not _try_lock(handle.fileno()):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"another process has been making {target} for {seconds:.0f} s: "
                    f"wait for it or end it, then start again"
                )
            if stop is not None and stop.is_set():
                raise Stopped
            time.sleep(0.1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
