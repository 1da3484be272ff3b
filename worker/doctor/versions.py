"""Which versions of what we stand on have known holes that concern us, as a table."""

import re
from dataclasses import dataclass

from worker.doctor.finding import Finding, Level, ok

Version = tuple[int, int, int]

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_DISTRIBUTION = re.compile(r"ds\d|dfsg|deb\d|ubuntu|\.el\d|\.fc\d|amzn|suse")


@dataclass(frozen=True, slots=True)
class Floor:
    """The versions in which a hole was closed, one a line of releases, the oldest line first.

    A release line older than all of them has the hole; a newer one than all of them has not.
    """

    name: str
    closed: tuple[Version, ...]
    why: str
    level: Level = Level.FAIL


FLOORS = {
    floor.name: floor
    for floor in (
        Floor(
            "runc",
            ((1, 2, 8), (1, 3, 3)),
            "a container could write to the host's /proc (CVE-2025-31133, -52565, -52881)",
        ),
        Floor(
            "containerd",
            ((1, 7, 29), (2, 0, 7), (2, 1, 5)),
            "its folders could be read by other users, and attaching leaked memory "
            "(CVE-2024-25621, CVE-2025-64329)",
            Level.WARN,
        ),
        Floor(
            "BuildKit",
            ((24, 0, 9), (25, 0, 2)),
            "a build could reach the host's files (CVE-2024-23651 to -23653; the BuildKit of this "
            "engine; no participant's Dockerfile is ever built)",
            Level.WARN,
        ),
        Floor(
            "NVIDIA toolkit",
            ((1, 17, 8),),
            "a container's image could run code on the host (CVE-2025-23266)",
        ),
        Floor(
            "git",
            ((2, 38, 0),),
            "an address looked up once cannot be pinned, nor bundle URIs be forbidden",
        ),
        Floor(
            "git holes",
            (
                *((2, 43, 7), (2, 44, 4), (2, 45, 4), (2, 46, 4)),
                *((2, 47, 3), (2, 48, 2), (2, 49, 1), (2, 50, 1)),
            ),
            "a clone could write outside of its folder (CVE-2025-48384, -48385; we take neither "
            "submodules nor bundle URIs)",
            Level.WARN,
        ),
        Floor(
            "bubblewrap",
            ((0, 8, 0),),
            "it lacks --disable-userns, without which a cell could make namespaces of its own",
        ),
        Floor("kernel", ((5, 10, 0),), "it is no longer maintained", Level.WARN),
    )
}


def parsed(text: str) -> Version | None:
    """The first version number in a text; None without one."""
    found = _NUMBERS.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def is_closed(version: Version, closed: tuple[Version, ...]) -> bool:
    """Whether a release of this number has the hole closed."""
    same = [one for one in closed if one[:2] == version[:2]]
    return version >= same[0] if same else version > closed[-1]


def judged(name: str, text: str, *, shown: str | None = None, todo: str = "") -> Finding:
    """How a version stands against its floor; `text` is what the program says of itself.

    A distribution's own build below the floor is doubtful only: it may hold the repair.
    """
    floor, version = FLOORS[name], parsed(text)
    label = shown or name
    said = " ".join(text.split())[:60]
    if version is None:
        return Finding(label, Level.WARN, f"no version in {said!r}", "Look at it by hand.")
    if is_closed(version, floor.closed):
        return ok(label, said)
    wanted = " or ".join(".".join(map(str, one)) for one in floor.closed[-3:])
    patched = bool(_DISTRIBUTION.search(text))
    level = Level.WARN if patched else floor.level
    advice = todo or f"Install {label} {wanted} or newer"
    if level is Level.WARN:
        advice += ", or look for these repairs in the changelog of your distribution's package"
    return Finding(label, level, f"{said}: {floor.why}", f"{advice}.")
