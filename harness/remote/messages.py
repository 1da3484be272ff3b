"""What the frames' JSON says: contexts, requests, limits, between values and plain objects.

A context travels whole once; a request that follows names it by its id, if the request before it
held the same one. So the reader keeps the contexts of one request and nothing older.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.agent import TRACKS, Track
from harness.dialogue import Context, Turn
from harness.errors import VERDICTS
from harness.remote.frames import PROTOCOL, Body, FrameError, fields, texts

HINTS = ("import", "construct", "verb", "prediction")
"""What a FAIL may say of where the agent failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What LOAD says: the track, the dictionary's size and hash, the limits in seconds."""

    track: Track
    entries: int | None
    sha256: str | None
    limits: Mapping[str, float]


class ContextWriter:
    """Writes contexts for requests, each whole only if the last request did not hold it."""

    def __init__(self) -> None:
        self._known: dict[str, Context] = {}

    def write(self, contexts: Sequence[Context]) -> list[Any]:  # Any: JSON
        """One item per context: an id, or the whole."""
        items = [
            context.id if self._known.get(context.id) == context else _whole(context)
            for context in contexts
        ]
        self._known = {context.id: context for context in contexts}
        return items


class ContextReader:
    """Reads what a `ContextWriter` wrote; `FrameError` on an id that it does not know."""

    def __init__(self) -> None:
        self._known: dict[str, Context] = {}

    def read(self, items: Sequence[object]) -> list[Context]:
        """One context per item."""
        contexts = [self._one(item) for item in items]
        self._known = {context.id: context for context in contexts}
        return contexts

    def _one(self, item: object) -> Context:
        if isinstance(item, str):
            if item not in self._known:
                raise FrameError("a context is named that the last request did not hold")
            return self._known[item]
        if not isinstance(item, dict):
            raise FrameError("a context is neither an id nor an object")
        name, persona, partner_persona, turns = fields(
            item, id=str, persona=list, partner_persona=list, turns=list
        )
        return Context(
            id=name,
            persona=tuple(texts(persona)),
            partner_persona=tuple(texts(partner_persona)),
            turns=tuple(_turn(turn) for turn in turns),
        )


def read_load(body: Body) -> Load:
    """The body of LOAD, parsed."""
    track, vocabulary, limits = fields(body, track=str, vocabulary=(dict, type(None)), limits=dict)
    if track not in TRACKS:
        raise FrameError("the track is unknown")
    fields(limits, load=float, batch=float, bank=float, total=float)
    entries, sha256 = (None, None)
    if vocabulary is not None:
        entries, sha256 = fields(vocabulary, entries=int, sha256=str)
    return Load(track, entries, sha256, limits)


def hello(*, harness: str, build: str) -> dict[str, str]:
    """The body of HELLO."""
    return {"protocol": PROTOCOL, "harness": harness, "build": build}


def read_fail(body: Body) -> tuple[str, str | None]:
    """Hint and detail of FAIL; the detail is one of `invalid_prediction`'s, or None."""
    hint, detail = fields(body, hint=str, detail=(str, type(None)))
    if hint not in HINTS:
        raise FrameError("the hint of FAIL is unknown")
    known = VERDICTS["invalid_prediction"].details if hint == "prediction" else (None,)
    if detail not in known:
        raise FrameError("the detail of FAIL is unknown")
    return hint, detail


def _whole(context: Context) -> dict[str, Any]:  # Any: JSON
    return {
        "id": context.id,
        "persona": list(context.persona),
        "partner_persona": list(context.partner_persona),
        "turns": [[turn.speaker, turn.text] for turn in context.turns],
    }


def _turn(item: object) -> Turn:
    speaker, text = texts(item) if isinstance(item, list) and len(item) == 2 else (None, "")
    if speaker == "self":
        return Turn("self", text)
    if speaker == "partner":
        return Turn("partner", text)
    raise FrameError("a turn is not [speaker, text]")
