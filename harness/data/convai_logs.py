"""The talks of ConvAI2's volunteers, as the organisers of 2018 published them in JSON.

A list of talks: `dialog` (messages with `sender_class` Bot or Human, `text`, `evaluation_score`),
`bot_profile` and `user_profile` (sentences), `eval_score` (null or 1 to 5), `profile_match` ("",
0 or 1), times and participants. The bot is the side that answers. Turns often do not alternate:
what a person says in a row is several utterances of the partner, what the bot says in a row is
joined to one reply. A message's `evaluation_score` becomes its example's reward; what was rated
at the end of a talk belongs to no example and is a `Rating`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.data.tolerance import Tolerance
from harness.dialogue import SILENCE, Dialogue, Example
from harness.errors import UsageError

MAX_BYTES = 256 * 1024 * 1024
"""The largest file that is read; the one of 2018 has 2 MB."""

MAX_TEXT = 64 * 1024
"""Characters of a message."""

MAX_MESSAGES = 10_000
"""Messages of a talk."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What a person said of a talk: enjoyment 1 to 5, and 1 if they told the bot's persona.

    `dialogue` is None where the bot never spoke: such a talk has nothing to predict.
    """

    talk: int
    dialogue: str | None
    eval_score: int | None
    profile_match: int | None
    bot_messages: int
    human_messages: int
    start_time: str | None
    end_time: str | None
    participants: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Talk:
    """One talk: its rating, and the dialogue if the bot spoke."""

    rating: Rating
    dialogue: Dialogue | None
    unanswered: int
    blank: int


@dataclass(frozen=True, slots=True)
class _Message:
    bot: bool
    text: str
    score: str | None


def read(path: Path | str, *, tolerance: Tolerance) -> Iterator[Talk]:
    """The talks of a file; `UsageError`, `FILE: talk N: reason`, for a bad one."""
    path = Path(path)
    return parse(_bytes(path), tolerance=tolerance, name=str(path))


def parse(content: bytes, *, tolerance: Tolerance, name: str) -> Iterator[Talk]:
    """The talks of a document; `name` stands for the file in an error."""
    document = _document(content, name=name)
    if not isinstance(document, list) or not document:
        raise UsageError(f"{name}: not a list of talks", code="bad_data")
    for number, item in enumerate(document, 1):
        try:
            talk = _talk(item, number=number)
        except ValueError as error:
            tolerance.take(UsageError(f"{name}: talk {number}: {error}", code="bad_data"))
        else:
            yield talk


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", code="bad_data") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES} bytes", code="bad_data")
    return content


def _document(content: bytes, *, name: str) -> Any:  # Any: a JSON document, checked by _talk
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: not UTF-8", code="bad_data") from error
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        raise UsageError(f"{where}: not JSON: {error.msg}", code="bad_data") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{name}: not JSON: {reason}", code="bad_data") from error


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _talk(item: Any, *, number: int) -> Talk:  # Any: parsed here
    if not isinstance(item, dict):
        raise ValueError("not an object")
    raw = item.get("dialog")
    if not isinstance(raw, list) or len(raw) > MAX_MESSAGES:
        raise ValueError(f"dialog is not a list of at most {MAX_MESSAGES} messages")
    messages = [_message(one, place=place) for place, one in enumerate(raw, 1)]
    spoken = [one for one in messages if one.text]
    examples, unanswered = _examples(spoken)
    own = _profile(item.get("bot_profile"), what="bot_profile")
    partner = _profile(item.get("user_profile"), what="user_profile")
    dialogue = Dialogue(str(number), own, partner, examples) if examples else None
    rating = Rating(
        talk=number,
        dialogue=dialogue.id if dialogue else None,
        eval_score=_whole(item.get("eval_score"), least=1, most=5, what="eval_score"),
        profile_match=_whole(item.get("profile_match"), least=0, most=1, what="profile_match"),
        bot_messages=sum(one.bot for one in spoken),
        human_messages=sum(not one.bot for one in spoken),
        start_time=_line(item.get("start_time"), what="start_time"),
        end_time=_line(item.get("end_time"), what="end_time"),
        participants=(
            _line(item.get("participant1_id"), what="participant1_id"),
            _line(item.get("participant2_id"), what="participant2_id"),
        ),
    )
    return Talk(rating, dialogue, unanswered, len(messages) - len(spoken))


def _message(item: Any, *, place: int) -> _Message:  # Any: parsed here
    if not isinstance(item, dict):
        raise ValueError(f"message {place} is not an object")
    if item.get("sender_class") not in ("Bot", "Human"):
        raise ValueError(f"message {place}: sender_class is neither Bot nor Human")
    text = _text(item.get("text"), what=f"message {place}: text")
    score = item.get("evaluation_score")
    if score is not None and (not isinstance(score, int | float | str) or len(str(score)) > 20):
        raise ValueError(f"message {place}: evaluation_score is not a number")
    bot = item["sender_class"] == "Bot"
    return _Message(bot, " ".join(text.split()), None if score in (None, "") else str(score))


def _examples(spoken: list[_Message]) -> tuple[tuple[Example, ...], int]:
    """The examples, and how many messages at the end nobody answered."""
    examples: list[Example] = []
    heard: list[str] = []
    for place, one in enumerate(spoken):
        if not one.bot:
            heard.append(one.text)
        elif place and spoken[place - 1].bot:
            last = examples.pop()
            reply = f"{last.replies[0]} {one.text}"
            examples.append(Example(last.partner, (reply,), reward=one.score or last.reward))
        else:
            examples.append(Example(tuple(heard) or (SILENCE,), (one.text,), reward=one.score))
            heard = []
    return tuple(examples), len(heard)


def _profile(value: Any, *, what: str) -> tuple[str, ...]:  # Any: parsed here
    lines = value.split("\n") if isinstance(value, str) else value or []
    if not isinstance(lines, list) or len(lines) > 100:
        raise ValueError(f"{what} is not a list of sentences")
    texts = (" ".join(_text(line, what=what).split()) for line in lines)
    return tuple(text for text in texts if text)


def _whole(value: Any, *, least: int, most: int, what: str) -> int | None:  # Any: parsed here
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{what} is {str(value)[:20]!r}, not a whole number {least} to {most}")
    return value


def _line(value: Any, *, what: str) -> str | None:  # Any: parsed here
    if value is None:
        return None
    text = _text(str(value) if isinstance(value, int) else value, what=what)
    if len(text) > 200:
        raise ValueError(f"{what} has more than 200 characters")
    return text


def _text(value: Any, *, what: str) -> str:  # Any: parsed here
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{what} is not text of at most {MAX_TEXT} characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{what} holds half a surrogate pair")
    return value
