"""A JSON document taken apart at the door, strictly: what is wrong is named by its place."""

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

T = TypeVar("T")

MAX_COUNT = 2**53 - 1
"""The largest count that every JSON reader keeps exactly."""

MAX_TEXT = 1_000_000
"""The longest text of a document, in characters, where a field names no bound of its own."""


class DamagedError(ValueError):
    """What is wrong in a document, beginning with its place: `measures[2].low is not a number`."""


def decoded(text: str) -> "Part":
    """The document that this strict JSON holds; `DamagedError` where it is none."""
    try:
        return Part(json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        place = f"at line {error.lineno}, column {error.colno}"
        raise DamagedError(f"not JSON {place}: {error.msg}") from error
    except RecursionError as error:
        raise DamagedError("not JSON that can be read: it is nested too deeply") from error
    except DamagedError:
        raise
    except ValueError as error:  # a number of more digits than Python reads
        raise DamagedError(f"not JSON that can be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Part:
    """A value inside a document, with its place; each method parses it or says what it is not."""

    value: object
    place: str = ""

    def fields(
        self, required: Collection[str], *, optional: Collection[str] = ()
    ) -> dict[str, "Part"]:
        """The parts of an object that has these keys, all of `required` and no others."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        prefix = f"{self.place}." if self.place else ""
        for key in required:
            if key not in self.value:
                raise DamagedError(f"{prefix}{key} is missing")
        known = {*required, *optional}
        for key in self.value:
            if key not in known:
                raise DamagedError(f"{self.name} has an unknown key: {_shown(key)}")
        return {key: Part(value, f"{prefix}{key}") for key, value in self.value.items()}

    def items(self, *, at_most: int) -> list["Part"]:
        """The parts of a list."""
        if not isinstance(self.value, list):
            self.refuse("a list")
        if len(self.value) > at_most:
            raise DamagedError(
                f"{self.name} has {len(self.value)} items; at most {at_most} are read"
            )
        return [Part(item, f"{self.place}[{number}]") for number, item in enumerate(self.value)]

    def texts(self, *, at_most: int) -> dict[str, str]:
        """An object whose values are texts."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        if len(self.value) > at_most:
            raise DamagedError(
                f"{self.name} has {len(self.value)} keys; at most {at_most} are read"
            )
        return {
            Part(key, f"a key of {self.name}").text(): Part(value, f"{self.name}.{key[:60]}").text()
            for key, value in self.value.items()
        }

    def text(self, *, at_most: int = MAX_TEXT) -> str:
        """A text of at most so many characters, each of which UTF-8 can hold."""
        if not isinstance(self.value, str):
            self.refuse("text")
        if len(self.value) > at_most:
            raise DamagedError(
                f"{self.name} has {len(self.value)} characters; at most {at_most} are read"
            )
        try:
            self.value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DamagedError(f"{self.name} holds half a surrogate pair") from error
        return self.value

    def choice(self, known: Sequence[T]) -> T:
        """One of the `known` values, of the same type."""
        for value in known:
            if type(self.value) is type(value) and self.value == value:
                return value
        self.refuse(f"one of {', '.join(map(str, known))}")

    def flag(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value

    def count(self, *, at_most: int = MAX_COUNT) -> int:
        """A whole number from 0."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.refuse("a whole number")
        if not 0 <= self.value <= at_most:
            raise DamagedError(f"{self.name} is not between 0 and {at_most}")
        return self.value

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.refuse("a number")
        try:
            value = float(self.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise DamagedError(f"{self.name} is not a finite number")
        return value

    def at_least(self, least: float) -> float:
        """A finite number that is not below `least`."""
        value = self.number()
        if value < least:
            raise DamagedError(f"{self.name} is below {least:g}: {_shown(self.value)}")
        return value

    def maybe(self, parse: Callable[["Part"], T], *, null: T) -> T:
        """What `parse` makes of the part, `null` where it is null."""
        return null if self.value is None else parse(self)

    @property
    def name(self) -> str:
        """The place in words."""
        return self.place or "the document"

    def refuse(self, expected: str) -> NoReturn:
        """Say what was expected here, and what was found."""
        raise DamagedError(f"{self.name} is not {expected}: {_shown(self.value)}")


def _shown(value: object) -> str:
    """A short form of a JSON value that no terminal minds."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = next(_repeated(key for key, _ in pairs))
        raise DamagedError(f"the key {_shown(twice)} stands twice in one object")
    return document


def _repeated(keys: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)


def _no_constant(constant: str) -> NoReturn:
    raise DamagedError(f"{constant} is not JSON")
