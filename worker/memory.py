"""The most memory that a process and all those below it have had, as this machine's kernel says."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024


def resident_peak(root: int, *, proc: Path = _PROC) -> int | None:
    """Bytes: the highest resident set of `root` and of each process below it, added up.

    None if the process is gone. What several of them share counts for each, and what has ended
    before counts no more: a figure to plan with, not an account.
    """
    parents, peaks = _processes(proc)
    if root not in peaks:
        return None
    below: defaultdict[int, list[int]] = defaultdict(list)
    for process, parent in parents.items():
        below[parent].append(process)
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        total += peaks[process]
        waiting += below[process]
    return total


def _processes(proc: Path) -> tuple[dict[int, int], dict[int, int]]:
    """The parent and the highest resident set (bytes) of every process; a zombie has none."""
    parents: dict[int, int] = {}
    peaks: dict[int, int] = {}
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):  # it may end while it is read
            status = (entry / "status").read_text("ascii", "replace")
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            parents[int(entry.name)] = int(fields.get("PPid", "0"))
            peaks[int(entry.name)] = int(fields.get("VmHWM", "0").split()[0]) * _KIB
    return parents, peaks
