"""A submission's `requirements.txt`: names and versions, line by line; anything else is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SubmissionError
from worker.images.recipe import Recipe, normalised

MAX_FILE_BYTES = 16 << 10
MAX_LINES = 100

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,80}[A-Za-z0-9])?"
_VERSION = r"(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9][A-Za-z0-9.*+!_-]{0,40}"
_EXTRAS = r"\[[A-Za-z0-9,._ -]{0,80}\]"
_LINE = re.compile(rf"(?P<name>{_NAME})\s*(?:{_EXTRAS})?\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*)?")


def parse_requirements(requirements: Path) -> tuple[str, ...]:
    """The sorted lines of the file, each a name with versions; anything else is refused.

    `SubmissionError("build_failed")` with the detail `refused_line`: options, URLs, paths,
    markers, a file that is no plain list.
    """
    if not requirements.is_file() or requirements.is_symlink():
        return ()
    with requirements.open("rb") as handle:
        content = handle.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _refused("refused_line", f"requirements.txt is larger than {MAX_FILE_BYTES} bytes")
    try:
        lines = tuple(sorted(set(_lines(content.decode("utf-8-sig")))))
    except UnicodeDecodeError:
        raise _refused("refused_line", "requirements.txt is not UTF-8") from None
    if len(lines) > MAX_LINES:
        raise _refused("refused_line", f"requirements.txt has more than {MAX_LINES} lines")
    return lines


def refuse_shipped(lines: tuple[str, ...], recipe: Recipe) -> None:
    """`build_failed: shipped_name` if a line names what the runtime ships."""
    shipped = recipe.names()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or normalised(match["name"]) in shipped:
            raise _refused("shipped_name", f"the runtime ships this already: {line}")


def _lines(text: str) -> Iterator[str]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", maxsplit=1)[0].strip()
        if not line:
            continue
        if not _LINE.fullmatch(line):
            raise _refused("refused_line", f"requirements.txt:{number}: only names and versions")
        yield line


def _refused(detail: str, message: str) -> SubmissionError:
    return SubmissionError("build_failed", detail=detail, message=message)
