"""Where fetched data sets lie: `$XDG_CACHE_HOME/rostrum/NAME`, by default under `~/.cache`."""

import os
from pathlib import Path

from harness.errors import UsageError


def directory() -> Path:
    """The folder of all fetched sets; like the XDG rule, it ignores a relative variable."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else _home() / ".cache") / "rostrum"


def folder(name: str) -> Path:
    """Where the set of this name lies, or would."""
    return directory() / name


def fetched(name: str) -> Path:
    """The folder of a set that is there; `UsageError` says how to get one that is not."""
    place = folder(name)
    if not place.is_dir():
        raise UsageError(
            f"{name} is not in {place.parent}", hint=f"Get it with: rostrum data fetch {name}"
        )
    return place


def member(place: Path, file_name: str) -> Path:
    """A file of a set; `UsageError` says which files there are."""
    there = {path.name: path for path in sorted(place.glob("*.txt"))}
    if file_name in there:
        return there[file_name]
    known = ", ".join(Path(name).stem for name in there) or "none"
    raise UsageError(f"{place} has no file {file_name[:80]}; there are: {known}")


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError("no home folder is known; set XDG_CACHE_HOME to a folder") from error
