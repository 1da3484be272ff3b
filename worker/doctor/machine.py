"""The machine itself: its kernel, its control groups, its disks, the tools that we call."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from worker.check.notes import size
from worker.doctor.finding import Finding, fail, ok, warn
from worker.doctor.versions import judged
from worker.sandbox import Limits
from worker.settings import Settings

TOOL_SECONDS = 20.0
SPARE_BYTES = 1 << 30
"""Free space below which attempts fail soon."""

_FEW_INODES = 0.05
_PERCENT = 100


def kernel() -> Iterator[Finding]:
    """Its version, and how it accounts for memory."""
    yield judged("kernel", platform.release(), todo="Boot a newer kernel")
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        yield ok("control groups", "version 2")
    else:
        yield warn(
            "control groups",
            "version 1: a child that is ended for lack of memory is not always seen",
            "Boot with systemd.unified_cgroup_hierarchy=1 if this system can.",
        )


def memory() -> Iterator[Finding]:
    """Whether a cell may have what the default limits promise it."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = Limits().memory
    text = f"{size(total)} of memory, {os.cpu_count()} processors"
    if total > needed:
        yield ok("memory", text)
    else:
        yield warn(
            "memory",
            f"{text}; a cell may use {size(needed)} by default",
            "Lower limits.memory in competition.toml, or use a larger machine.",
        )


def disks(settings: Settings, folders: dict[str, Path]) -> Iterator[Finding]:
    """Room on each disk that we write to, named by what we keep there."""
    seen: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for name, folder in folders.items():
        place = _existing(folder)
        seen.setdefault(place.stat().st_dev, []).append(name)
        places.setdefault(place.stat().st_dev, place)
    for device, names in seen.items():
        yield _disk(places[device], ", ".join(names), high=settings.disk_high)


def _disk(place: Path, holds: str, *, high: float) -> Finding:
    name = "disk"
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    whole = (found.f_blocks - found.f_bfree) * found.f_frsize + free
    used = _PERCENT * (1 - free / whole) if whole else _PERCENT
    text = f"{size(free)} free, {used:.0f} % used ({holds})"
    if free < SPARE_BYTES:
        return fail(name, text, f"Free some space below {place}: attempts end as disk_full.")
    if used > high:
        return warn(name, text, f"It is above ROSTRUM_DISK_HIGH ({high:g} %): free some space.")
    if found.f_files and found.f_favail / found.f_files < _FEW_INODES:
        return warn(name, f"{text}, but few inodes", "Remove small files, or use another disk.")
    return ok(name, text)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def tools(*, bubblewrap: bool) -> Iterator[Finding]:
    """git and ssh, by which repositories are fetched; bubblewrap, where it is the sandbox."""
    said = version_of("git", "--version")
    if said is None:
        yield fail("git", "not installed", "Install git: without it nothing is fetched.")
    else:
        finding = judged("git", said)
        yield finding if finding.todo else judged("git holes", said, shown="git")
    if shutil.which("ssh") is None:
        yield warn("ssh", "not installed", "Install openssh-client for repositories over ssh.")
    if bubblewrap:
        yield from _bubblewrap()


def _bubblewrap() -> Iterator[Finding]:
    missing = [name for name in ("bwrap", "setpriv", "prlimit") if shutil.which(name) is None]
    if missing:
        yield fail(
            "bubblewrap",
            f"not installed: {', '.join(missing)}",
            "Install the packages bubblewrap and util-linux.",
        )
        return
    yield judged("bubblewrap", version_of("bwrap", "--version") or "")
    for name, bad, text in _FORBIDDEN:
        path = Path("/proc/sys") / name
        if path.exists() and path.read_text("ascii").strip() == bad:
            yield fail("namespaces", text, f"sysctl -w {name.replace('/', '.')} (see docs)")


_FORBIDDEN = (
    ("user/max_user_namespaces", "0", "no user may make a namespace"),
    ("kernel/unprivileged_userns_clone", "0", "only root may make a namespace"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor takes all rights from namespaces of plain users",
    ),
)
"""Settings of the kernel with which bubblewrap cannot start a cell."""


def version_of(*command: str) -> str | None:
    """What a program says of its version; None where it is not installed or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - fixed words
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TOOL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (asked.stdout or asked.stderr).strip().splitlines()
    return lines[0] if lines else ""
