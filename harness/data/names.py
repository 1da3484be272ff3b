"""Where the name of dialogues leads: to a file, or to a set that was fetched."""

from pathlib import Path

from harness.data import cache
from harness.errors import UsageError

FETCHABLE = ("convai2",)
"""The sets that `rostrum data fetch` knows."""


def resolve(name: Path | str) -> Path:
    """The path of a file or of a fetched set.

    `convai2` is the folder of the fetched set, `convai2:valid_self_original` a file of it (with
    or without `.txt`). Anything else is a path, and so is what there is by exactly that name.
    `UsageError`: a set that was not fetched, a file it lacks.
    """
    if "\0" in str(name):
        raise UsageError("a path holds no NUL character")
    known, colon, file = str(name).partition(":")
    if known not in FETCHABLE or is_there(Path(name)):
        return Path(name)
    place = cache.fetched(known)
    if not colon:
        return place
    if not file or Path(file).name != file:
        raise UsageError(f"{str(name)[:80]!r} names no file; write {known}:valid_self_original")
    return cache.member(place, f"{file.removesuffix('.txt')}.txt")


def is_there(path: Path) -> bool:
    """Whether there is such a path; False where the system will not say."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False where the system will not say."""
    try:
        return path.is_dir()
    except OSError:
        return False
