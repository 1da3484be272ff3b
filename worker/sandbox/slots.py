"""User ids for cells that no engine separates: one cell, one id, held by a lock file.

Nothing else on the machine runs under these ids, so "no process of this id" is "the cell is gone".
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import OperatorError

FIRST_UID = 60_000
COUNT = 64


class Slot:
    """One user id, held until `release`; processes left under it are ended when it is taken."""

    def __init__(self, folder: Path):
        self._descriptor, number = _first_free(folder)
        self.uid = FIRST_UID + number
        self.clear(seconds=5.0)

    def clear(self, *, seconds: float) -> bool:
        """End every process of this id by force; whether none is left within `seconds`."""
        return _end(self.uid, seconds=seconds)

    def release(self) -> None:
        """Let the next cell have the id."""
        os.close(self._descriptor)


def processes_of(uid: int) -> list[int]:
    """The ids of all processes whose real user is `uid`, zombies left out."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            status = (entry / "status").read_text("ascii", "replace")
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            if fields["Uid"].split()[0] == str(uid) and not fields["State"].startswith("Z"):
                found.append(int(entry.name))
    return found


def end_abandoned(folder: Path) -> int:
    """End the processes of ids that no worker holds; how many ids had any."""
    ended = 0
    for number in range(COUNT):
        if not processes_of(FIRST_UID + number) or (held := _lock(folder, number)) is None:
            continue
        ended += _end(FIRST_UID + number, seconds=5.0)
        os.close(held)
    return ended


@contextmanager
def held(folder: Path, uid: int) -> Iterator[bool]:
    """Hold an id for a moment, without ending anything; whether nobody else has it."""
    descriptor = _lock(folder, uid - FIRST_UID)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _end(uid: int, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while found := processes_of(uid):
        if time.monotonic() > deadline:
            return False
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)
    return True


def _first_free(folder: Path) -> tuple[int, int]:
    for number in range(COUNT):
        if (held := _lock(folder, number)) is not None:
            return held, number
    raise OperatorError("engine_down", message=f"all {COUNT} slots of bubblewrap are in use")


def _lock(folder: Path, number: int) -> int | None:
    descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
