"""The lines of a data file, bounded and decoded, and the error that points at one of them."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from harness.errors import UsageError

CHUNK = 1 << 18
"""Bytes read at a time."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SEEN = 40
"""Characters of foreign text that an error shows."""


def bad_line(name: str, number: int, reason: str, *, column: int | None = None) -> UsageError:
    """The error of one line: `FILE:LINE: reason`, or `FILE:LINE:COLUMN: reason`.

    Columns count characters from 1; None where the fault is the line as a whole.
    """
    place = f"{name}:{number}" if column is None else f"{name}:{number}:{column}"
    return UsageError(f"{place}: {reason}", code="bad_data")


def seen(text: str) -> str:
    """Foreign text as an error shows it: in quotes, escaped and cut."""
    return repr(text) if len(text) <= _SEEN else f"{text[:_SEEN]!r}..."


def read_lines(path: Path, *, bound: int) -> Iterator[bytes]:
    """The raw lines of a file without their line feeds, read in constant memory.

    A line of more than `bound` bytes is cut just above it, so that a check of its length fails;
    the rest of it is dropped. A name that ends in `.gz` is unpacked on the way.
    """
    try:
        with opened(path) as file:
            yield from _lines(file, bound=bound)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"cannot read {path}: its gzip data is damaged or cut off", code="bad_data"
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot read {path}: {reason}", code="bad_data") from error


def opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked if its name ends in `.gz`."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _lines(file: BinaryIO, *, bound: int) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(CHUNK):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > bound + 1:  # one more for a carriage return
            yield rest[: bound + 2]
            rest = _after_line(file)
    if rest:
        yield rest


def _after_line(file: BinaryIO) -> bytes:
    """What was read beyond the end of the line that the file stands in."""
    while chunk := file.read(CHUNK):
        _, end, rest = chunk.partition(b"\n")
        if end:
            return rest
    return b""


def decoded(lines: Iterable[bytes | str], *, name: str, bound: int) -> Iterator[tuple[int, str]]:
    """Numbered lines from 1 without their ends, each at most `bound` bytes of UTF-8."""
    for number, line in enumerate(lines, 1):
        yield number, decode(line, name=name, number=number, bound=bound)


def decode(line: bytes | str, *, name: str, number: int, bound: int) -> str:
    """The text of one line without its end; `UsageError` if it is too long or not UTF-8."""
    try:
        raw = line.encode("utf-8") if isinstance(line, str) else line
    except UnicodeEncodeError as error:
        column = error.start + 1
        reason = f"not UTF-8 at character {column}"
        raise bad_line(name, number, reason, column=column) from error
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > bound:
        raise bad_line(name, number, f"a line is at most {bound} bytes")
    if number == 1 and raw.startswith(BYTE_ORDER_MARK):
        raise bad_line(name, number, "the file begins with a byte-order mark; save it without")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode("utf-8")) + 1
        reason = f"not UTF-8 at byte {error.start + 1}: 0x{raw[error.start]:02x}"
        raise bad_line(name, number, reason, column=column) from error
