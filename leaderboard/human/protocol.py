"""The human protocol: what raters are told and asked, and by which rules, as one frozen value.

It is read from TOML at the lock, laid over the packaged `protocol.toml`, and from then on kept as
canonical JSON with every number in it. Its name is the sha256 of those bytes.
"""

import difflib
import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from typing import Any

from harness.errors import UsageError
from leaderboard.competition import Human

SCHEMA = 1
SCALE = 4
"""How many answers the enjoyment question has: 1 is the worst, as in ConvAI2."""

MAX_SENTENCE = 1_000
MAX_INSTRUCTIONS = 30

_LARGEST: Mapping[str, int] = {
    "minimum_turns": 100,
    "maximum_turns": 100,
    "reply_seconds": 600,
    "wait_seconds": 3_600,
    "idle_seconds": 86_400,
    "text_limit": 4_000,
    "ratings": 100_000,
    "share": 1_000,
}
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Protocol:
    """The wording and the rules. Texts are as raters read them, the numbers filled in.

    `enjoyment_labels` name the answers 1 (worst) to 4 (best). `minimum_turns` and `maximum_turns`
    count the rater's turns, `text_limit` characters of one. Every finalist wants `ratings` valid
    ratings; a rater is asked for `share` conversations at most. With `exclude_revoked` the ratings
    of a rater whose invitation was revoked count for nothing.
    """

    title: str
    instructions: tuple[str, ...]
    persona_heading: str
    enjoyment_question: str
    enjoyment_labels: tuple[str, str, str, str]
    detection_question: str
    thanks: str
    minimum_turns: int
    maximum_turns: int
    reply_seconds: int
    wait_seconds: int
    idle_seconds: int
    text_limit: int
    ratings: int
    share: int
    exclude_revoked: bool

    def dumps(self) -> str:
        """Canonical JSON: keys sorted, compact, characters as they are."""
        return json.dumps(
            {"schema": SCHEMA, **asdict(self)},
            ensure_ascii=False,
            allow_nan=False,
            sort_keys=True,
            separators=(",", ":"),
        )

    @property
    def sha256(self) -> str:
        """The hex digest of the canonical JSON's UTF-8 bytes."""
        return digest(self.dumps())


_FIELDS = tuple(field.name for field in fields(Protocol))


def digest(text: str) -> str:
    """The sha256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def parse(text: str | None, *, human: Human) -> Protocol:
    """The protocol of a TOML document; what it leaves out, or None, is as packaged.

    `UsageError` (`bad_protocol`) says which key is wrong.
    """
    document = _document(_packaged())
    document |= {"minimum_turns": human.minimum_turns, "reply_seconds": human.reply_seconds}
    given = _document(text) if text is not None else {}
    document |= given
    if "maximum_turns" not in given:
        document["maximum_turns"] = max(document["maximum_turns"], human.minimum_turns)
    return _filled(_checked(document))


def loads(text: str) -> Protocol:
    """The protocol that `Protocol.dumps` wrote."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _wrong(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _wrong("it is not a JSON object")
    _expect_known(document)
    return _checked(document)


def _packaged() -> str:
    return (
        resources.files("leaderboard.human").joinpath("protocol.toml").read_text(encoding="utf-8")
    )


def _document(text: str) -> dict[str, Any]:  # Any: checked by `_checked`
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"it is not TOML: {error}") from error
    _expect_known(document)
    return document


def _expect_known(document: Mapping[str, object]) -> None:
    for key in document:
        if key != "schema" and key not in _FIELDS:
            near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.0)[0]
            raise _wrong(f"the key {key!r} is unknown; did you mean {near!r}?")
    if document.get("schema") != SCHEMA:
        raise _wrong(f"schema is {document.get('schema')!r}; this version reads {SCHEMA}")


def _checked(document: Mapping[str, Any]) -> Protocol:  # Any: checked here
    labels = _sentences(document, "enjoyment_labels", most=SCALE)
    if len(labels) != SCALE:
        raise _wrong(f"enjoyment_labels are {len(labels)}; give {SCALE}, from worst to best")
    exclude = document.get("exclude_revoked")
    if not isinstance(exclude, bool):
        raise _wrong(f"exclude_revoked is {exclude!r}; it must be true or false")
    numbers = {key: _count(document.get(key), name=key, most=_LARGEST[key]) for key in _LARGEST}
    if numbers["minimum_turns"] > numbers["maximum_turns"]:
        raise _wrong(
            f"minimum_turns is {numbers['minimum_turns']}, more than maximum_turns, "
            f"{numbers['maximum_turns']}"
        )
    return Protocol(
        title=_sentence(document.get("title"), name="title"),
        instructions=_sentences(document, "instructions", most=MAX_INSTRUCTIONS),
        persona_heading=_sentence(document.get("persona_heading"), name="persona_heading"),
        enjoyment_question=_sentence(document.get("enjoyment_question"), name="enjoyment_question"),
        enjoyment_labels=(labels[0], labels[1], labels[2], labels[3]),
        detection_question=_sentence(document.get("detection_question"), name="detection_question"),
        thanks=_sentence(document.get("thanks"), name="thanks"),
        exclude_revoked=exclude,
        **numbers,
    )


def _filled(protocol: Protocol) -> Protocol:
    """The same with the numbers in its texts; `UsageError` for braces that name no rule."""
    numbers = {key: str(getattr(protocol, key)) for key in _LARGEST}

    def number(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in numbers:
            raise _wrong(f"{{{name}}} in a text names no rule; known: {', '.join(numbers)}")
        return numbers[name]

    document = asdict(protocol)
    for key, value in document.items():
        if isinstance(value, str):
            document[key] = _BRACES.sub(number, value)
        elif isinstance(value, tuple):
            document[key] = tuple(_BRACES.sub(number, text) for text in value)
    return Protocol(**document)


def _sentences(document: Mapping[str, object], key: str, *, most: int) -> tuple[str, ...]:
    found = document.get(key)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise _wrong(f"{key} must be a list of 1 to {most} texts")
    return tuple(
        _sentence(value, name=f"{key}, number {number},")
        for number, value in enumerate(found, start=1)
    )


def _sentence(value: object, *, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_SENTENCE:
        raise _wrong(f"{name} must be a text of at most {MAX_SENTENCE} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise _wrong(f"{name} must be one line without control characters")
    return value.strip()


def _count(value: object, *, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _wrong(f"{name} is {value!r}; it must be a whole number from 1 to {most}")
    return value


def _wrong(reason: str) -> UsageError:
    return UsageError(f"human protocol: {reason}", code="bad_protocol")
