"""How a machine feels before and after: what untrusted code must leave as it was.

Whatever else runs here counts, too, so the tolerances are those of a whole machine; what belongs to
our cells alone (containers, folders; a cell's own end has verified its processes) must be gone.
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cells import containers_of

from worker.place import Place
from worker.settings import from_environment

MEMORY = 512 << 20
DISK = 512 << 20
ENGINE = 0.15
PROCESSES = 30
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Health:
    """Processes, available memory and free disk in bytes, the engine's share of a processor."""

    processes: int
    memory: int
    disk: int
    engine: float

    @classmethod
    def now(cls) -> "Health":
        return cls(
            processes=sum(entry.name.isdigit() for entry in Path("/proc").iterdir()),
            memory=_available(),
            disk=shutil.disk_usage(from_environment().sandbox_directory).free,
            engine=_engine(),
        )

    def worse_than(self, before: "Health") -> list[str]:
        """In what the machine has not come back to what it was."""
        found = []
        if self.processes > before.processes + PROCESSES:
            found.append(f"{self.processes} processes, {before.processes} before")
        if self.memory < before.memory - MEMORY:
            found.append(f"{self.memory >> 20} MiB of memory, {before.memory >> 20} before")
        if self.disk < before.disk - DISK:
            found.append(f"{self.disk >> 20} MiB of disk, {before.disk >> 20} before")
        if self.engine > before.engine + ENGINE:
            found.append(f"the engine takes {self.engine:.0%}, {before.engine:.0%} before")
        return found

    def __str__(self) -> str:
        return (
            f"{self.processes} processes, {self.memory >> 20} MiB of memory and "
            f"{self.disk >> 20} MiB of disk free, engine {self.engine:.0%} of a processor"
        )


def settled(before: Health) -> tuple[Health, list[str]]:
    """The health once the machine is back where it was, or after a while all the same."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        now = Health.now()
        if not (worse := now.worse_than(before)) or time.monotonic() > deadline:
            return now, worse
        time.sleep(1)


def left_behind(mark: str) -> list[str]:
    """Containers and cell folders of the gallery run that bears this mark."""
    place = Place.open(from_environment().sandbox_directory)
    found = [str(path) for path in (place.root / "cells").glob(f"rostrum-{mark}-*")]
    if shutil.which("docker"):
        found += containers_of(f"rostrum.test={mark}")
    return found


def _available() -> int:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) << 10


def _engine() -> float:
    """What dockerd and containerd take of one processor, over a second."""
    found = subprocess.run(
        ["pgrep", "-x", "dockerd|containerd"], capture_output=True, text=True, check=False
    )
    processes = [int(line) for line in found.stdout.split()]
    before = sum(map(_ticks, processes))
    time.sleep(1)
    return (sum(map(_ticks, processes)) - before) / os.sysconf("SC_CLK_TCK")


def _ticks(process: int) -> int:
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0
