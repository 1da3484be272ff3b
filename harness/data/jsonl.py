"""The house's own file format: one dialogue a line as strict JSON, canonical when written.

The canonical bytes name a data set: schema 1, keys sorted, no spaces, UTF-8 without escapes.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from harness.data.lines import bad_line, decoded, read_lines
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

SCHEMA = 1

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line, that is the largest dialogue, that is read."""

_DIALOGUE_KEYS = {"schema", "id", "persona", "partner_persona", "examples"}
_EXAMPLE_KEYS = {"partner", "replies", "candidates", "reward"}


def read(path: Path | str) -> list[Dialogue]:
    """The dialogues of a file; `UsageError` with file, line and reason for a bad line."""
    path = Path(path)
    return parse(read_lines(path, bound=MAX_LINE_BYTES), name=str(path))


def parse(lines: Iterable[bytes | str], *, name: str = "lines") -> list[Dialogue]:
    """The dialogues of these lines; `name` stands for the file in an error."""
    dialogues = []
    seen: set[str] = set()
    for number, text in decoded(lines, name=name, bound=MAX_LINE_BYTES):
        try:
            dialogue = _dialogue(_strict(text))
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise bad_line(name, number, reason) from error
        if dialogue.id in seen:
            raise bad_line(name, number, f"a second dialogue has the id {dialogue.id[:60]!r}")
        seen.add(dialogue.id)
        dialogues.append(dialogue)
    if not dialogues:
        raise UsageError(f"{name}:1: the file is empty", code="bad_data")
    return dialogues


def write(path: Path | str, dialogues: Iterable[Dialogue]) -> None:
    """Write the canonical bytes to a file."""
    Path(path).write_bytes(dumps(dialogues))


def dumps(dialogues: Iterable[Dialogue]) -> bytes:
    """The canonical bytes of a data set."""
    return b"".join(_line(dialogue) for dialogue in dialogues)


def digest(dialogues: Iterable[Dialogue]) -> str:
    """The name of a data set: sha256 of its canonical bytes, 64 hex digits."""
    total = hashlib.sha256()
    for dialogue in dialogues:
        total.update(_line(dialogue))
    return total.hexdigest()


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


def _strict(text: str) -> Any:  # Any: a JSON document, checked by _dialogue
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON values
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _dialogue(document: Any) -> Dialogue:  # Any: parsed here
    _expect_keys(document, _DIALOGUE_KEYS, what="a dialogue")
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise ValueError(f"schema is not {SCHEMA}")
    if not isinstance(document["examples"], list) or not document["examples"]:
        raise ValueError("examples is not a list with at least one item")
    return Dialogue(
        id=_text(document["id"], what="id"),
        persona=_texts(document["persona"], what="persona"),
        partner_persona=_texts(document["partner_persona"], what="partner_persona"),
        examples=tuple(_example(item) for item in document["examples"]),
    )


def _example(document: Any) -> Example:  # Any: parsed here
    _expect_keys(document, _EXAMPLE_KEYS, what="an example")
    reward = document["reward"]
    example = Example(
        partner=_texts(document["partner"], what="partner"),
        replies=_texts(document["replies"], what="replies"),
        candidates=_texts(document["candidates"], what="candidates"),
        reward=None if reward is None else _text(reward, what="reward"),
    )
    if not example.partner or not example.replies:
        raise ValueError("an example needs at least one partner utterance and one reply")
    if example.candidates and example.replies[0] not in example.candidates:
        raise ValueError(f"the reply is not among the {len(example.candidates)} candidates")
    return example


def _expect_keys(document: Any, keys: set[str], *, what: str) -> None:  # Any: parsed here
    if not isinstance(document, dict):
        raise ValueError(f"{what} is not an object")
    if missing := sorted(keys - document.keys()):
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    if unknown := sorted(document.keys() - keys):
        raise ValueError(f"{what} has an unknown key {unknown[0][:60]!r}")


def _texts(value: Any, *, what: str) -> tuple[str, ...]:  # Any: parsed here
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list")
    return tuple(_text(item, what=f"{what}[{place}]") for place, item in enumerate(value))


def _text(value: Any, *, what: str) -> str:  # Any: parsed here
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds half a surrogate pair") from None
    return value
