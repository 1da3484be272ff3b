"""A control group for one cell that no engine bounds: memory and processors of all its processes.

Made where this kernel lets us: below `/sys/fs/cgroup` as root, by either version of the interface.
Where it does not, a cell has the limits of a single process only, and says so in its `walls`.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worker.sandbox import Limits

ROOT = Path("/sys/fs/cgroup")
FOLDER = "rostrum"
CONTROLLERS = ("memory", "cpu")

_PERIOD = 100_000  # microseconds
_REMOVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one group, one per hierarchy; a process joins by the file `cgroup.procs`."""

    folders: Sequence[Path]

    @classmethod
    def make(cls, name: str, limits: Limits, *, root: Path = ROOT) -> "Group | None":
        """A fresh group of this name with these limits; None if memory cannot be bounded here."""
        try:
            if (root / "cgroup.controllers").exists():
                return cls._unified(root / FOLDER / name, limits)
            return cls._split(root, name, limits)
        except OSError:
            cls(_folders(root, name)).remove()
            return None

    @classmethod
    def _unified(cls, folder: Path, limits: Limits) -> "Group":
        """Version 2: one hierarchy, whose controllers are handed down first."""
        folder.parent.mkdir(exist_ok=True)
        wanted = " ".join(f"+{name}" for name in CONTROLLERS)
        for above in (folder.parent.parent, folder.parent):
            (above / "cgroup.subtree_control").write_text(wanted)
        _anew(folder)
        (folder / "memory.max").write_text(str(limits.memory))
        _if_there(folder / "memory.swap.max", "0")
        (folder / "cpu.max").write_text(f"{_quota(limits)} {_PERIOD}")
        return cls((folder,))

    @classmethod
    def _split(cls, root: Path, name: str, limits: Limits) -> "Group":
        """Version 1: a hierarchy per controller."""
        memory, cpu = _folders(root, name)
        _anew(memory)
        (memory / "memory.limit_in_bytes").write_text(str(limits.memory))
        _if_there(memory / "memory.memsw.limit_in_bytes", str(limits.memory))
        with suppress(OSError):  # the one that may be missing
            _anew(cpu)
            (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (cpu / "cpu.cfs_quota_us").write_text(str(_quota(limits)))
            return cls((memory, cpu))
        return cls((memory,))

    @classmethod
    def left(cls, prefix: str, *, root: Path = ROOT) -> "list[tuple[str, Group]]":
        """The groups whose names begin so, by what follows; a killed worker's may be among them."""
        whole = (root / "cgroup.controllers").exists()
        above = [root / FOLDER] if whole else [root / one / FOLDER for one in CONTROLLERS]
        ends = {path.name[len(prefix) :] for one in above for path in one.glob(f"{prefix}*")}
        return [(end, cls([one / f"{prefix}{end}" for one in above])) for end in sorted(ends)]

    @property
    def doors(self) -> list[Path]:
        """What a process writes `0` to, to be counted in."""
        return [folder / "cgroup.procs" for folder in self.folders]

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel has ended a process of the group for its memory."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError, ValueError):
                lines = (self.folders[0] / name).read_text("ascii").splitlines()
                return int(dict(line.split() for line in lines).get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Remove the group, whose processes have ended; the kernel may need a moment."""
        deadline = time.monotonic() + _REMOVE_SECONDS
        for folder in self.folders:
            while folder.exists() and time.monotonic() < deadline:
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.01)


def _folders(root: Path, name: str) -> tuple[Path, Path]:
    memory, cpu = CONTROLLERS
    return root / memory / FOLDER / name, root / cpu / FOLDER / name


def _anew(folder: Path) -> None:
    """An empty group; one that a killed worker left is removed first, with what it counted."""
    if not folder.parent.parent.is_dir():
        raise FileNotFoundError(folder.parent.parent)
    folder.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        folder.rmdir()
    folder.mkdir()


def _if_there(file: Path, text: str) -> None:
    """Some kernels count no swap."""
    if os.access(file, os.W_OK):
        file.write_text(text)


def _quota(limits: Limits) -> int:
    return max(1000, int(limits.cpus * _PERIOD))
