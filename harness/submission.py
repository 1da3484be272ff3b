"""What a submission folder says of itself: its name, the tracks it enters, what it chats by."""

import tomllib
from collections.abc import Collection
from pathlib import Path

from harness.agent import TRACKS, Track

CHAT_ORDER: tuple[Track, ...] = ("f1", "hits", "ppl")
"""The track file that a live chat runs: the first of these that the submission enters."""

_LONGEST = 16 << 10
_NAME_LENGTH = 60


def entered(folder: Path, *, offered: Collection[Track] = TRACKS) -> tuple[Track, ...]:
    """The tracks of `offered` that the folder has a file for."""
    return tuple(
        track for track in TRACKS if track in offered and (folder / f"eval_{track}.py").is_file()
    )


def entry_name(folder: Path, *, default: str) -> str:
    """`name` of rostrum.toml as one printable line of at most 60 characters, else `default`.

    A file that cannot be read is no reason to refuse a submission.
    """
    try:
        with (folder / "rostrum.toml").open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8")
        name = tomllib.loads(text).get("name")
    except (OSError, ValueError, RecursionError):
        return default
    if not isinstance(name, str):
        return default
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(shown.split())[:_NAME_LENGTH].strip() or default
