"""Files of fixed candidates: replies that an agent may always choose from, one a line."""

from collections.abc import Iterable
from pathlib import Path

from harness.data.lines import bad_line, decoded, read_lines, seen
from harness.data.writing import write_each
from harness.errors import UsageError

MAX_LINE_BYTES = 256 * 1024
MAX_CANDIDATES = 1_000_000
"""Every candidate stands in memory and most agents encode each, so their number has a bound."""


def read_candidates(path: Path | str) -> tuple[str, ...]:
    """The candidates of a file in its order; their places are what an agent's cache refers to.

    Outer spaces are dropped and a literal `\\n` is a line break, as in fbdialog. `UsageError`
    with file, line and reason: an empty line, a candidate that stands twice, no line at all.
    """
    path = Path(path)
    places: dict[str, int] = {}
    lines = read_lines(path, bound=MAX_LINE_BYTES)
    for number, line in decoded(lines, name=str(path), bound=MAX_LINE_BYTES):
        text = line.replace("\\n", "\n").strip()
        if not text:
            raise bad_line(str(path), number, "an empty line where a candidate is expected")
        if number > MAX_CANDIDATES:
            raise bad_line(str(path), number, f"more than {MAX_CANDIDATES} candidates")
        if (first := places.setdefault(text, number)) != number:
            raise bad_line(str(path), number, f"{seen(text)} stands on line {first} already")
    if not places:
        raise bad_line(str(path), 1, "the file is empty")
    return tuple(places)


def write_candidates(path: Path | str, candidates: Iterable[str]) -> None:
    """Write candidates so that `read_candidates` gives them back; `UsageError` if it would not."""
    places: set[str] = set()
    write_each(path, (_line(text, places) for text in candidates))


def _line(text: str, places: set[str]) -> bytes:
    held = text and text == text.strip() and "\\n" not in text and "\r" not in text
    if not held or text in places:
        raise UsageError(
            f"a file of candidates cannot hold {seen(text)}: it is empty, stands twice, or has "
            "outer spaces, a carriage return or a literal \\n",
            code="bad_data",
        )
    places.add(text)
    return text.replace("\n", "\\n").encode("utf-8") + b"\n"
