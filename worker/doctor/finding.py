"""What the doctor finds: a line that is fine, doubtful or bad, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a line stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, in words, and what to do."""

    name: str
    level: Level
    text: str
    todo: str = ""


Look = Callable[[], Iterator[Finding]]
"""A look at one part of the machine; what it cannot see is a finding too."""


def ok(name: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(name, Level.OK, text)


def warn(name: str, text: str, todo: str) -> Finding:
    """It works, and could be better or safer."""
    return Finding(name, Level.WARN, text, todo)


def fail(name: str, text: str, todo: str) -> Finding:
    """Attempts would fail, or strangers' code could get out."""
    return Finding(name, Level.FAIL, text, todo)
