"""Dialogues in files: readers, writers and a generated sample, one module a format."""

from pathlib import Path

from harness.data import fbdialog, jsonl
from harness.dialogue import Dialogue


def load(path: Path | str) -> list[Dialogue]:
    """The dialogues of a file: `.jsonl` and `.txt` by name, any other by its first byte.

    A file that cannot be read, and a bad line with file, line number and reason, is a
    `UsageError`.
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        return jsonl.read(path)
    if path.suffix == ".txt" or not _begins_with_brace(path):
        return fbdialog.read(path)
    return jsonl.read(path)


def _begins_with_brace(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) == b"{"
