"""Dialogues in files: readers, writers and a generated sample, one module a format."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.data import fbdialog, jsonl
from harness.data.lines import opened
from harness.data.names import is_folder, resolve
from harness.data.tolerance import Tolerance
from harness.dialogue import Dialogue
from harness.errors import UsageError

__all__ = ["load", "resolve", "stream"]


def load(path_or_name: Path | str, *, skip_bad: int = 0) -> list[Dialogue]:
    """The dialogues of a file or of a fetched set's file (`convai2:valid_self_original`).

    A file that cannot be read, and a bad line with file, line, column and reason, is a
    `UsageError`; `skip_bad` as in `stream`.
    """
    return list(stream(path_or_name, skip_bad=skip_bad))


def stream(
    path_or_name: Path | str,
    *,
    skip_bad: int = 0,
    skipped: Callable[[UsageError], None] | None = None,
) -> Iterator[Dialogue]:
    """The same one by one, in one pass and in memory that does not grow with the file.

    `.jsonl` and `.txt` go by name (`.gz` after it is unpacked), any other by its first byte. At
    most `skip_bad` bad dialogues are left out, each told to `skipped`; the next one is refused.
    In `.txt` an episode that holds a bad line is left out whole and counted once.
    """
    path = resolve(path_or_name)
    if is_folder(path):
        raise UsageError(f"cannot read {path}: it is a folder; name a file of it", code="bad_data")
    tolerance = Tolerance(skip_bad, skipped)
    if _is_jsonl(path):
        return jsonl.stream(path, tolerance=tolerance)
    return fbdialog.stream(path, tolerance=tolerance)


def _is_jsonl(path: Path) -> bool:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    return suffix == ".jsonl" or (suffix != ".txt" and _begins_with_brace(path))


def _begins_with_brace(path: Path) -> bool:
    with suppress(OSError, EOFError, zlib.error):  # the reader says what cannot be read
        if path.is_file():  # a pipe would lose the byte
            with opened(path) as file:
                return file.read(1) == b"{"
    return False
