"""Frees the disk of what this worker made and nobody uses: by age, and between two marks.

What is unused for longer than the keeping time goes. If the disk is fuller than its high mark,
what was used longest ago goes next, until the low mark. Never what is in use or was an hour ago,
never what a lock keeps, never what is not marked as ours.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.images.disk import used_percent

BUSY_SECONDS = 3600.0
"""What was used so recently is between two of its uses: a preflight and a score, say."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be made again: when it was last used, on whose disk, how it goes.

    `used` is seconds since 1970; `remove` says whether it is gone.
    """

    kind: str
    name: str
    used: float
    disk: Path
    remove: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Marks:
    """When to free a disk: fuller than `high` percent, until `low`; and what is too old anyway."""

    high: float = 90.0
    low: float = 80.0
    keep_seconds: float = 14 * 86_400.0


def collect(
    items: Iterable[Item],
    *,
    marks: Marks,
    now: float | None = None,
    full: Callable[[Path], float] = used_percent,
) -> list[Item]:
    """Remove what is too old, then what the marks ask for; what was removed, in order.

    `full` says how full the disk of a folder is, in percent.
    """
    moment = time.time() if now is None else now
    oldest = sorted(items, key=lambda item: item.used)
    gone: list[Item] = []
    pressed: dict[Path, bool] = {}
    for item in oldest:
        idle = moment - item.used
        if idle < BUSY_SECONDS:
            break
        was_pressed = pressed.get(item.disk, False)
        mark = marks.low if was_pressed else marks.high
        pressed[item.disk] = full(item.disk) > mark
        if (idle > marks.keep_seconds or pressed[item.disk]) and item.remove():
            _log.info("collected: kind=%s name=%s idle=%.0fs", item.kind, item.name, idle)
            gone.append(item)
    for disk in {item.disk for item in oldest}:
        if full(disk) > marks.high:
            _log.error(
                "the disk of %s is %.0f%% full and nothing of ours is left to free: free space "
                "there, or move ROSTRUM_SANDBOX_DIR",
                disk,
                full(disk),
            )
    return gone


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether no other process of this machine collects below `folder` while the block runs."""
    descriptor = os.open(folder / ".collect.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
