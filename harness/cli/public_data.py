"""The public data that a file run by hand asks for: which file, and its official dictionary."""

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import click

from harness.cli.terminal import plain
from harness.data import resolve, stream
from harness.data.convai2 import VARIANTS
from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.text import Vocabulary

DATA_VARIABLE = "ROSTRUM_DATA"
"""The folder (or the fetched set) of the public data; `./data` by default."""

COMPETITION = "self_original"
"""The variant that ConvAI2 was held on, and that its dictionary is made from."""

CHOICES = tuple(name.removeprefix("valid_") for name in VARIANTS if name.startswith("valid_"))
"""The variants without their split: whose persona is shown, in which wording."""

_HELD_BYTES = 256 << 20
"""The largest file that is read before the first question, so that the end is known."""


def data_file(data: Path | str | None, *, split: str, variant: str = COMPETITION) -> Path:
    """The file to score on: what `data` names, or the split's file in that or the usual folder.

    A text may name a fetched set, `convai2`, or a file of it, `convai2:valid_none_original`.
    """
    place = resolve(data if data is not None else os.environ.get(DATA_VARIABLE, "data"))
    if place.exists() and not place.is_dir():
        return place
    file = place / f"{split}_{variant}.txt"
    if file.is_file():
        return file
    raise UsageError(
        f"there is no {file}; name a file, a folder or a fetched set with --data, or set "
        f"{DATA_VARIABLE} to the folder that holds {file.name} (`rostrum data fetch convai2` "
        "fetches the set, `rostrum data sample` makes a small one)"
    )


def persona_file(data: Path | str | None) -> Path | None:
    """The dialogues that personas are drawn from; none where there are none and none are named."""
    try:
        return data_file(data, split="valid")
    except UsageError:
        if data is not None:
            raise
        return None


def dialogues_of(file: Path, *, limit: int | None, skip_bad: int) -> Iterable[Dialogue]:
    """The first `limit` dialogues: as a list, or as a stream where the file is large.

    Each bad one that is left out is told on standard error.
    """
    found = islice(stream(file, skip_bad=skip_bad, skipped=_told), limit)
    large = file.is_file() and file.stat().st_size > _HELD_BYTES and limit is None
    return found if large else list(found)


def find_dictionary(dictionary: Path | None, *, beside: Path) -> Vocabulary:
    """The dictionary file, or the dictionary of the train and valid sets beside the data."""
    if dictionary is not None:
        return Vocabulary.load(dictionary)
    files = [beside.parent / f"{split}_{COMPETITION}.txt" for split in ("train", "valid")]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UsageError(
            f"ppl needs the official dictionary: name it with --dictionary, or put "
            f"{' and '.join(missing)} beside {beside}"
        )
    return Vocabulary.build(*map(stream, files))


def _told(error: UsageError) -> None:
    click.echo(f"left out: {plain(error.message)}", err=True)
