"""Files and folders written whole or not at all: made beside their place, named at the end."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import UsageError

_MODE = 0o666
"""The rights of a new file before the user's mask, which a temporary file does not follow."""


class WholeFile:
    """A file that appears at `keep`; `drop`, or the end of the process, leaves `path` as it was.

    Each method raises `UsageError` where the folder is missing or full, or may not be written to.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", dir=path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        self._name = Path(name)
        self._file = os.fdopen(handle, "wb")

    def write(self, data: bytes) -> None:
        """Add bytes."""
        try:
            self._file.write(data)
        except OSError as error:
            self.drop()
            raise self._unwritable(error) from error

    def keep(self) -> None:
        """Give the file its name."""
        try:
            os.fchmod(self._file.fileno(), _MODE & ~_mask())
            self._file.close()
            self._name.replace(self.path)
        except OSError as error:
            self.drop()
            raise self._unwritable(error) from error

    def drop(self) -> None:
        """Forget what was written."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._name.unlink()

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(f"cannot write {self.path}: {error.strerror or type(error).__name__}")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole; `UsageError` where that cannot be done."""
    file = WholeFile(path)
    file.write(data)
    file.keep()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `path` if nothing fails."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:80]}.") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        if path.exists():
            path.rename(Path(scratch) / "former")
        fresh.rename(path)


def _mask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
