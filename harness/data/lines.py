"""The lines of a data file, bounded and decoded, and the error that points at one of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import UsageError


def bad_line(name: str, number: int, reason: str) -> UsageError:
    """The error of one line: `FILE:LINE: reason`."""
    return UsageError(f"{name}:{number}: {reason}", code="bad_data")


def read_lines(path: Path, *, bound: int) -> Iterator[bytes]:
    """The raw lines of a file, each cut just above `bound` bytes so that memory stays bounded."""
    try:
        with path.open("rb") as file:
            while line := file.readline(bound + 2):
                yield line
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot read {path}: {reason}", code="bad_data") from error


def decoded(lines: Iterable[bytes | str], *, name: str, bound: int) -> Iterator[tuple[int, str]]:
    """Numbered lines from 1 without their ends, each at most `bound` bytes of UTF-8."""
    for number, line in enumerate(lines, 1):
        yield number, _decode(line, name=name, number=number, bound=bound)


def _decode(line: bytes | str, *, name: str, number: int, bound: int) -> str:
    try:
        raw = line.encode("utf-8") if isinstance(line, str) else line
    except UnicodeEncodeError as error:
        raise bad_line(name, number, f"not UTF-8 at character {error.start + 1}") from error
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > bound:
        raise bad_line(name, number, f"a line is at most {bound} bytes")
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        raise bad_line(name, number, "the file begins with a byte-order mark; save it without")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_line(name, number, f"not UTF-8 at byte {error.start + 1}") from error
