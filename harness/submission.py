"""What a submission folder says of itself: its name, its tracks, its wish for an accelerator."""

import tomllib
from collections.abc import Collection, Mapping
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
    """`name` of rostrum.toml as one printable line of at most 60 characters, else `default`."""
    name = described(folder).get("name")
    if not isinstance(name, str):
        return default
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(shown.split())[:_NAME_LENGTH].strip() or default


def wants_gpu(folder: Path) -> bool:
    """Whether rostrum.toml says `gpu = true`."""
    return described(folder).get("gpu") is True


def described(folder: Path) -> Mapping[str, object]:
    """What rostrum.toml says; nothing where there is none.

    A file that cannot be read is no reason to refuse a submission: it says nothing, either.
    """
    try:
        return read_description(folder)
    except (OSError, ValueError, RecursionError):
        return {}


def read_description(folder: Path) -> Mapping[str, object]:
    """What rostrum.toml says; `OSError` without the file, `ValueError` where it is no TOML."""
    with (folder / "rostrum.toml").open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError(f"it is larger than {_LONGEST} bytes")
    return tomllib.loads(content.decode("utf-8"))
