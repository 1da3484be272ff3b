"""How a data file is written: as its dialogues come, whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

from harness.errors import UsageError
from harness.files import WholeFile


def write_each(path: Path | str, parts: Iterable[bytes]) -> None:
    """Write a file of at least one part; whatever fails, no half of it is left behind.

    `UsageError` where the file cannot be written or no part comes.
    """
    file = WholeFile(Path(path))
    empty = True
    try:
        for part in parts:
            file.write(part)
            empty = False
        if empty:
            raise UsageError(f"there is nothing to write to {path}", code="bad_data")
    except BaseException:
        file.drop()
        raise
    file.keep()
