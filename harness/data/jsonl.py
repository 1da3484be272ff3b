"""The house's own file format: one dialogue a line as strict JSON, canonical when written.

The canonical bytes name a data set: schema 1, keys sorted, no spaces, UTF-8 without escapes.
The schema stands in `docs/dialogue.schema.json`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from harness.data.lines import bad_line, decode, read_lines, seen
from harness.data.seen import Seen
from harness.data.tolerance import Tolerance
from harness.data.writing import write_each
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

SCHEMA = 1

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line, that is the largest dialogue, that is read."""

_DIALOGUE_KEYS = {"schema", "id", "persona", "partner_persona", "examples"}
_EXAMPLE_KEYS = {"partner", "replies", "candidates", "reward"}
_TEXT_ONLY = {str}


def read(path: Path | str) -> list[Dialogue]:
    """The dialogues of a file; `UsageError` with file, line, column and reason for a bad line."""
    return list(stream(path))


def stream(path: Path | str, *, tolerance: Tolerance | None = None) -> Iterator[Dialogue]:
    """The same one by one, so that memory holds one line and eight-byte hashes of the ids."""
    lines = read_lines(Path(path), bound=MAX_LINE_BYTES)
    return scan(lines, name=str(path), tolerance=tolerance)


def parse(lines: Iterable[bytes | str], *, name: str = "lines") -> list[Dialogue]:
    """The dialogues of these lines; `name` stands for the file in an error."""
    return list(scan(lines, name=name))


def scan(
    lines: Iterable[bytes | str], *, name: str = "lines", tolerance: Tolerance | None = None
) -> Iterator[Dialogue]:
    """The dialogues of these lines one by one; a bad line is left out as `tolerance` goes."""
    tolerance = tolerance or Tolerance()
    ids = Seen()
    read = 0
    for number, line in enumerate(lines, 1):
        try:
            dialogue = _parsed(line, name=name, number=number)
            if not ids.add(dialogue.id):
                raise bad_line(name, number, _second(dialogue.id))
        except UsageError as error:
            tolerance.take(error)
            continue
        read += 1
        yield dialogue
    tolerance.expect_some(name=name, read=read)


def write(path: Path | str, dialogues: Iterable[Dialogue]) -> None:
    """Write the canonical bytes to a file as the dialogues come; it appears whole or not at all.

    What `read` would refuse (a second dialogue of an id, an example without a reply, no dialogue
    at all, ...) is a `UsageError`.
    """
    write_each(path, _checked_lines(dialogues))


def dumps(dialogues: Iterable[Dialogue]) -> bytes:
    """The canonical bytes of a data set."""
    return b"".join(_line(dialogue) for dialogue in dialogues)


def digest(dialogues: Iterable[Dialogue]) -> str:
    """The name of a data set: sha256 of its canonical bytes, 64 hex digits."""
    total = hashlib.sha256()
    for dialogue in dialogues:
        total.update(_line(dialogue))
    return total.hexdigest()


def _second(identifier: str) -> str:
    return f"a second dialogue has the id {identifier[:60]!r}"


def _line(dialogue: Dialogue) -> bytes:
    document = {
        "schema": SCHEMA,
        "id": dialogue.id,
        "persona": dialogue.persona,
        "partner_persona": dialogue.partner_persona,
        "examples": [
            {
                "partner": example.partner,
                "replies": example.replies,
                "candidates": example.candidates,
                "reward": example.reward,
            }
            for example in dialogue.examples
        ],
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"


def _checked_lines(dialogues: Iterable[Dialogue]) -> Iterator[bytes]:
    ids = Seen()
    for dialogue in dialogues:
        if not ids.add(dialogue.id):
            raise _not_held(dialogue, _second(dialogue.id))
        if not dialogue.examples:
            raise _not_held(dialogue, "it has no example")
        for example in dialogue.examples:
            if reason := _reason_against(example):
                raise _not_held(dialogue, reason)
        try:
            line = _line(dialogue)
        except UnicodeEncodeError as error:
            raise _not_held(dialogue, "it holds half a surrogate pair") from error
        if len(line) > MAX_LINE_BYTES:
            raise _not_held(dialogue, f"it is longer than {MAX_LINE_BYTES} bytes")
        yield line


def _not_held(dialogue: Dialogue, reason: str) -> UsageError:
    return UsageError(f"the dialogue {seen(dialogue.id)}: {reason}", code="bad_data")


def _parsed(line: bytes | str, *, name: str, number: int) -> Dialogue:
    text = decode(line, name=name, number=number, bound=MAX_LINE_BYTES)
    try:
        return _dialogue(_STRICT.decode(text), escapes="\\u" in text)
    except json.JSONDecodeError as error:
        found = seen(text[error.pos :]) if error.pos < len(text) else "the end of the line"
        reason = f"not JSON: {error.msg}, found {found}"
        raise bad_line(name, number, reason, column=error.pos + 1) from None
    except RecursionError:
        raise bad_line(name, number, "nested too deeply") from None
    except ValueError as error:
        raise bad_line(name, number, str(error)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON values
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"a key stands twice: {seen(twice)}")
    return document


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _number(digits: str) -> int:
    if len(digits) > 18:
        raise ValueError(f"the number {digits[:12]}... has {len(digits)} digits")
    return int(digits)


_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_number
)


def _dialogue(document: Any, *, escapes: bool) -> Dialogue:  # Any: parsed here
    _expect_keys(document, _DIALOGUE_KEYS, what="a dialogue")
    schema = document["schema"]
    if schema != SCHEMA or isinstance(schema, bool):
        raise ValueError(f"schema is not {SCHEMA}, but {seen(str(schema))}")
    if not isinstance(document["examples"], list) or not document["examples"]:
        raise ValueError("examples is not a list with at least one item")
    dialogue = Dialogue(
        id=_text(document["id"], what="id"),
        persona=_texts(document["persona"], what="persona"),
        partner_persona=_texts(document["partner_persona"], what="partner_persona"),
        examples=tuple(
            [_example(item, place=place) for place, item in enumerate(document["examples"])]
        ),
    )
    if escapes:  # the only way by which half a pair comes into decoded UTF-8
        _expect_whole(dialogue)
    return dialogue


def _example(document: Any, *, place: int) -> Example:  # Any: parsed here
    where = f"examples[{place}]"
    _expect_keys(document, _EXAMPLE_KEYS, what=where)
    reward = document["reward"]
    example = Example(
        partner=_texts(document["partner"], what=f"{where}.partner"),
        replies=_texts(document["replies"], what=f"{where}.replies"),
        candidates=_texts(document["candidates"], what=f"{where}.candidates"),
        reward=None if reward is None else _text(reward, what=f"{where}.reward"),
    )
    if reason := _reason_against(example):
        raise ValueError(f"{where}: {reason}")
    return example


def _reason_against(example: Example) -> str | None:
    if not example.partner or not example.replies:
        return "an example needs at least one partner utterance and one reply"
    if example.candidates and example.replies[0] not in example.candidates:
        count = len(example.candidates)
        return f"the reply is not among the {count} candidates: {seen(example.replies[0])}"
    return None


def _expect_keys(document: Any, keys: set[str], *, what: str) -> None:  # Any: parsed here
    if not isinstance(document, dict):
        raise ValueError(f"{what} is not an object, but {_kind(document)}")
    if document.keys() == keys:
        return
    if missing := sorted(keys - document.keys()):
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    unknown = sorted(document.keys() - keys)[0]
    raise ValueError(
        f"{what} has an unknown key {unknown[:60]!r}; known: {', '.join(sorted(keys))}"
    )


def _texts(value: Any, *, what: str) -> tuple[str, ...]:  # Any: parsed here
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list, but {_kind(value)}")
    if not _TEXT_ONLY.issuperset(map(type, value)):
        for place, item in enumerate(value):
            _text(item, what=f"{what}[{place}]")
    return tuple(value)


def _text(value: Any, *, what: str) -> str:  # Any: parsed here
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text, but {_kind(value)}")
    return value


def _kind(value: Any) -> str:  # Any: a JSON value
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _expect_whole(dialogue: Dialogue) -> None:
    """Refuse text that UTF-8 cannot hold."""
    texts = {
        "id": (dialogue.id,),
        "persona": dialogue.persona,
        "partner_persona": dialogue.partner_persona,
    }
    for place, example in enumerate(dialogue.examples):
        said = (*example.partner, *example.replies, *example.candidates, example.reward or "")
        texts[f"examples[{place}]"] = said
    for what, group in texts.items():
        try:
            "".join(group).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"{what} holds half a surrogate pair") from None
