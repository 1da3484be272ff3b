"""A note beside what a step made says what it was made from, so that it is known again.

A step whose note bears the key of today is done; any other was made from other data, another
recipe or other options, and is made anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from harness.files import write_whole

TRAINS = ("torch", "data", "text.py", "dialogue.py", "stored.py", "cli/training.py")
"""Parts of the harness on which training depends, beside a baseline's own files."""

SCORES = ("metrics", "evaluation.py", "asking.py", "statistics.py", "resampling.py", "schedule.py")
"""Parts on which a score depends, beside those."""

_FILES = ("{split}_self_original.txt", "{split}_self_original_no_cands.txt")


def read(path: Path, *, key: str) -> dict[str, Any] | None:  # Any: plain JSON values
    """What the note at `path` says, None where there is none or it bears another key."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and note.get("key") == key else None


def write(path: Path, *, key: str, **facts: object) -> None:
    """Write a note whole or not at all."""
    write_whole(path, json.dumps({"key": key, **facts}).encode("utf-8") + b"\n")


def key(*parts: object) -> str:
    """The key of what was made from these, 32 hex digits."""
    return hashlib.sha256(json.dumps(parts, default=str).encode("utf-8")).hexdigest()[:32]


def data_key(folder: Path) -> str:
    """The hash of what a baseline may learn from in a folder of data."""
    named = {form.format(split=split) for form in _FILES for split in ("train", "valid")}
    there = sorted(name for name in named if (folder / name).is_file())
    return key(*((name, file_key(folder / name)) for name in there))


def file_key(path: Path) -> str:
    """The hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_key(package: str, parts: Mapping[str, tuple[str, ...]]) -> str:
    """The hash of a baseline's own files and of these parts of other packages."""
    roots = [files("baselines").joinpath(package)]
    roots += [files(name).joinpath(part) for name, chosen in parts.items() for part in chosen]
    return key(*((name, hashlib.sha256(text).hexdigest()) for name, text in _contents(roots)))


def _contents(roots: list[Traversable]) -> Iterator[tuple[str, bytes]]:
    """The source files below these, in order of their names."""
    for root in sorted(roots, key=lambda place: place.name):
        if root.is_file() and root.name.endswith((".py", ".toml", ".txt")):
            yield root.name, root.read_bytes()
        elif root.is_dir() and root.name not in ("__pycache__", "checkpoint"):
            yield from (
                (f"{root.name}/{name}", text) for name, text in _contents([*root.iterdir()])
            )
