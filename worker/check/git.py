"""What git says of a participant's folder: which files a commit would hold, which it leaves out."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS = 60.0

SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder as its repository sees it; every path is relative to it, with slashes.

    `files` are those that are committed, staged or new, and neither deleted nor ignored.
    `unsaved` are the ones that the last commit does not hold as they are; `ignored` what is left
    out, folders with a slash at the end. `large` are files that git keeps as LFS objects.
    """

    files: tuple[str, ...]
    unsaved: tuple[str, ...]
    ignored: tuple[str, ...]
    submodules: tuple[str, ...]
    large: frozenset[str]


def listed(folder: Path) -> Listed | None:
    """The folder if it is the top of a repository; None if it is not, or git cannot read it."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top or Path(top[0].rstrip("\n")) != folder.resolve():
        return None
    staged = _git(folder, "ls-files", "-z", "--stage")
    new = _git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    status = _git(folder, "status", "-z", "--porcelain=v1", "--untracked-files=all", "--no-renames")
    left = _git(
        folder, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
    )
    if staged is None or new is None or status is None or left is None:
        return None
    entries = [entry.partition("\t") for entry in staged]
    submodules = tuple(path for mode, _, path in entries if mode.startswith(SUBMODULE))
    known = {path for _, _, path in entries if path not in submodules}
    files = sorted(path for path in known.union(new) if os.path.lexists(folder / path))
    return Listed(
        files=tuple(files),
        unsaved=tuple(sorted({entry[3:] for entry in status})),
        ignored=tuple(left),
        submodules=submodules,
        large=_large(folder, files),
    )


def _large(folder: Path, files: Sequence[str]) -> frozenset[str]:
    """The files that .gitattributes hands to LFS."""
    asked = "\0".join(files).encode("utf-8", "surrogateescape")
    said = _git(folder, "check-attr", "-z", "--stdin", "filter", given=asked) or []
    triples = zip(said[0::3], said[2::3], strict=False)
    return frozenset(path for path, value in triples if value == "lfs")


def _git(folder: Path, *arguments: str, given: bytes = b"") -> list[str] | None:
    """The parts of git's answer between NUL bytes; None where it fails or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words; the folder is the user's own
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    text = done.stdout.decode("utf-8", "surrogateescape")
    return [part for part in text.split("\0") if part]
