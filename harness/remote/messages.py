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
from harness.remote.handshake import Version, told
from harness.text import Vocabulary

HINTS = ("import", "construct", "verb", "prediction")
"""What a FAIL may say of where the agent failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What LOAD says: the track, the dictionary's size and hash, the limits in seconds, and
    which version is spoken from then on."""

    track: Track
    entries: int | None
    sha256: str | None
    limits: Mapping[str, float]
    spoken: Version


class ContextWriter:
    """Writes contexts for requests, each whole only if the last request did not hold it."""

    def __init__(self) -> None:
        self._known: dict[str, Context] = {}

    def write(self, contexts: Sequence[Context]) -> list[Any]:  # Any: JSON
        """One item per context: an id, or the whole."""
        known = self._known
        items = [  # mostly the very object of the last request: no comparing
            context.id
            if (before := known.get(context.id)) is context or before == context
            else _whole(context)
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
        known = self._known
        contexts = [
            known[item] if type(item) is str and item in known else self._whole(item)
            for item in items
        ]
        self._known = {context.id: context for context in contexts}
        return contexts

    @staticmethod
    def _whole(item: object) -> Context:
        if isinstance(item, str):
            raise FrameError("a context is named that the last request did not hold")
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


def write_load(
    track: Track, *, vocabulary: Vocabulary | None, limits: Mapping[str, float], spoken: Version
) -> dict[str, Any]:  # Any: JSON
    """The body of LOAD for an inside with which this version is spoken."""
    named = vocabulary and {"entries": len(vocabulary), "sha256": vocabulary.sha256}
    body = {"track": track, "vocabulary": named, "limits": limits}
    return body | {"protocol": PROTOCOL} if spoken.told_in_load else body


def read_load(body: Body) -> Load:
    """The body of LOAD, parsed; one that tells no version is of 1.0."""
    spoken = told(body)
    rest = {key: value for key, value in body.items() if key != "protocol"}
    track, vocabulary, limits = fields(rest, track=str, vocabulary=(dict, type(None)), limits=dict)
    if track not in TRACKS:
        raise FrameError("the track is unknown")
    fields(limits, load=float, batch=float, bank=float, total=float)
    entries, sha256 = (None, None)
    if vocabulary is not None:
        entries, sha256 = fields(vocabulary, entries=int, sha256=str)
    return Load(track, entries, sha256, limits, spoken)


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
        "persona": context.persona,
        "partner_persona": context.partner_persona,
        "turns": [(turn.speaker, turn.text) for turn in context.turns],
    }


def _turn(item: object) -> Turn:
    if type(item) is list and len(item) == 2 and type(item[1]) is str:
        if item[0] == "self":
            return Turn("self", item[1])
        if item[0] == "partner":
            return Turn("partner", item[1])
    raise FrameError("a turn is not [speaker, text]")
