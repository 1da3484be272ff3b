"""What a fetched tree says of itself: the tracks it enters, the name it wants to be called."""

import tomllib
from collections.abc import Collection
from pathlib import Path

from harness.agent import TRACKS, Track
from harness.errors import SubmissionError

_LONGEST = 16 << 10
_NAME_LENGTH = 60


def entered(tree: Path, *, offered: Collection[Track]) -> tuple[Track, ...]:
    """The tracks of the competition that the tree has a file for; `no_track_file` without any."""
    tracks = tuple(
        track for track in TRACKS if track in offered and (tree / f"eval_{track}.py").is_file()
    )
    if not tracks:
        raise SubmissionError("no_track_file")
    return tracks


def entry_name(tree: Path, *, default: str) -> str:
    """`name` of rostrum.toml as one printable line of at most 60 characters, else `default`.

    A file that cannot be read is no reason to refuse a submission.
    """
    try:
        with (tree / "rostrum.toml").open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8")
        name = tomllib.loads(text).get("name")
    except (OSError, ValueError, RecursionError):
        return default
    if not isinstance(name, str):
        return default
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(shown.split())[:_NAME_LENGTH].strip() or default
