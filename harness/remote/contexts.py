"""Contexts and prefixes as requests say them: whole once, and then only what was added.

From 1.1 on a context may say which one it comes after and only the turns that are new, and a ppl
request that goes on from the one before says only which rows have ended and the word that each
other row gained. Both ends keep the same few contexts, so neither grows with the set.
"""

from collections.abc import Iterator, Sequence
from itertools import compress, islice
from operator import add
from typing import Any, TypeVar, cast

from harness.dialogue import Context, Turn
from harness.remote.frames import Body, FrameError, fields, texts

KEPT = 4096
"""How many contexts both ends keep beyond those of the last request: the last that came."""

Prefix = tuple[str, ...]
Row = TypeVar("Row")

_INTEGERS = frozenset({int})
_ADDED = [str, str, list]
_Talk = tuple[str, tuple[str, ...]]  # first turn and persona: what one dialogue's contexts share
_Talked = tuple[Context, _Talk]


class ContextWriter:
    """Writes contexts for requests: by id if the last request held it, after an earlier one if
    it goes on from it (`continues`: the reader is of 1.1), else whole."""

    def __init__(self, *, continues: bool = False) -> None:
        self._known: dict[str, Context] = {}
        self._kept: dict[str, _Talked] = {}
        self._latest: dict[_Talk, Context] = {}
        self.continues = continues

    def write(self, contexts: Sequence[Context]) -> list[Any]:  # Any: JSON
        """One item per context: an id, what was added, or the whole."""
        known = self._known
        items: list[Any] = []  # Any: JSON
        fresh: list[_Talked] = []
        for context in contexts:
            before = known.get(context.id)
            if before is not None and (before is context or before == context):
                items.append(context.id)  # mostly the very object: no comparing
            else:
                talk = (context.turns[0].text if context.turns else "", context.persona)
                items.append(self._added(context, talk))
                fresh.append((context, talk))
        self._known = {context.id: context for context in contexts}
        if self.continues:
            self._keep(fresh)
        return items

    def _added(self, context: Context, talk: "_Talk") -> object:
        before = self._latest.get(talk)
        if before is None or self._kept.get(before.id, (None,))[0] is not before:
            return _whole(context)
        said = len(before.turns)
        if context.turns[:said] != before.turns:
            return _whole(context)
        if (context.persona, context.partner_persona) != (before.persona, before.partner_persona):
            return _whole(context)
        return context.id, before.id, _pairs(context.turns[said:])

    def _keep(self, fresh: Sequence["_Talked"]) -> None:
        for context, talk in fresh:
            self._latest[talk] = context
        for context, talk in _stored(self._kept, [(item[0].id, item) for item in fresh]):
            if self._latest.get(talk) is context:
                del self._latest[talk]


class ContextReader:
    """Reads what a `ContextWriter` wrote; `FrameError` on an id that it does not know."""

    def __init__(self, *, continues: bool = False) -> None:
        self._known: dict[str, Context] = {}
        self._kept: dict[str, Context] = {}
        self.continues = continues

    def read(self, items: Sequence[object]) -> list[Context]:
        """One context per item."""
        known = self._known
        contexts: list[Context] = []
        fresh: list[Context] = []
        for item in items:
            if type(item) is str and item in known:
                contexts.append(known[item])
            else:
                fresh.append(self._unknown(item))
                contexts.append(fresh[-1])
        self._known = {context.id: context for context in contexts}
        if self.continues:
            _stored(self._kept, [(context.id, context) for context in fresh])
        return contexts

    def _unknown(self, item: object) -> Context:
        if isinstance(item, str):
            raise FrameError("a context is named that the last request did not hold")
        if self.continues and isinstance(item, list):
            return self._after(item)
        if not isinstance(item, dict):
            raise FrameError("a context is neither an id nor an object")
        name, persona, partner_persona, turns = fields(
            item, id=str, persona=list, partner_persona=list, turns=list
        )
        return Context(
            name, tuple(texts(persona)), tuple(texts(partner_persona)), tuple(map(_turn, turns))
        )

    def _after(self, item: Sequence[object]) -> Context:
        if [*map(type, item)] != _ADDED:
            raise FrameError("a context that goes on is not [id, id, turns]")
        name, after, turns = cast(tuple[str, str, list[object]], item)
        before = self._kept.get(after)
        if before is None:
            raise FrameError("a context goes on from one that is not kept")
        said = (*before.turns, *map(_turn, turns))
        return Context(name, before.persona, before.partner_persona, said)


class PrefixWriter:
    """Writes what a ppl request asks about, briefly where it goes on from the request before."""

    def __init__(self, writer: ContextWriter) -> None:
        self._writer = writer
        self._contexts: Sequence[Context] = ()
        self._prefixes: Sequence[Prefix] = ()

    def write(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]]
    ) -> dict[str, Any]:  # Any: JSON
        """The request but for its verb."""
        words = [*map(tuple, prefixes)]
        body = self._added(contexts, words) if self._writer.continues else None
        self._contexts, self._prefixes = tuple(contexts), words
        return body or {"contexts": self._writer.write(contexts), "prefixes": words}

    def _added(
        self, contexts: Sequence[Context], prefixes: Sequence[Prefix]
    ) -> dict[str, Any] | None:  # Any: JSON
        """Which rows have ended and each other row's word; None if this is another question."""
        ended = _ended(self._contexts, contexts)
        if ended is None or not contexts:
            return None
        before = [*_without(self._prefixes, ended)]
        if not all(prefixes) or [prefix[:-1] for prefix in prefixes] != before:
            return None
        return {"ended": ended, "words": [prefix[-1] for prefix in prefixes]}


class PrefixReader:
    """Reads what a `PrefixWriter` wrote."""

    def __init__(self, reader: ContextReader) -> None:
        self._reader = reader
        self._contexts: list[Context] = []
        self._prefixes: list[Prefix] = []

    def read(self, body: Body) -> tuple[list[Context], list[Prefix]]:
        """Contexts and prefixes of this request; both lists are the caller's."""
        if self._reader.continues and "ended" in body:
            self._go_on(body)
        else:
            _, contexts, prefixes = fields(body, verb=str, contexts=list, prefixes=list)
            if len(contexts) != len(prefixes):
                raise FrameError("there are not as many prefixes as contexts")
            self._prefixes = [tuple(texts(prefix)) for prefix in prefixes]
            self._contexts = self._reader.read(contexts)
        return [*self._contexts], [*self._prefixes]

    def _go_on(self, body: Body) -> None:
        _, ended, words = fields(body, verb=str, ended=list, words=list)
        rows = len(self._contexts)
        if not _INTEGERS.issuperset(map(type, ended)) or not _rise(ended, below=rows):
            raise FrameError("the rows that ended are none of the request before, or do not rise")
        if len(texts(words)) != rows - len(ended):
            raise FrameError("there are not as many words as rows that go on")
        self._contexts = [*_without(self._contexts, ended)]
        before = _without(self._prefixes, ended)
        self._prefixes = [*map(add, before, zip(words, strict=True))]  # pairs of one


def _ended(before: Sequence[Context], now: Sequence[Context]) -> list[int] | None:
    """The places of the old rows that are not among the new, which are the rest in their order;
    None if they are not. Rows are told by the object: another one is another question."""
    ended: list[int] = []
    old = iter(before)
    place = 0
    for context in now:
        for row in old:
            place += 1
            if row is context:
                break
            ended.append(place - 1)
        else:
            return None
    return [*ended, *range(place, len(before))]


def _without(rows: Sequence[Row], ended: Sequence[int]) -> Iterator[Row]:
    goes_on = bytearray(b"\1") * len(rows)
    for place in ended:
        goes_on[place] = 0
    return compress(rows, goes_on)


def _rise(places: Sequence[int], *, below: int) -> bool:
    if not places:
        return True
    return places[0] >= 0 and places[-1] < below and sorted(set(places)) == places


def _stored(kept: dict[str, Row], fresh: Sequence[tuple[str, Row]]) -> list[Row]:
    """Keep these too, and return what there is no more room for: the oldest."""
    kept.update(fresh)
    return [kept.pop(name) for name in [*islice(kept, max(0, len(kept) - KEPT))]]


def _whole(context: Context) -> dict[str, Any]:  # Any: JSON
    return {
        "id": context.id,
        "persona": context.persona,
        "partner_persona": context.partner_persona,
        "turns": _pairs(context.turns),
    }


def _pairs(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in turns]


def _turn(item: object) -> Turn:
    if type(item) is list and len(item) == 2 and type(item[1]) is str:
        if item[0] == "self":
            return Turn("self", item[1])
        if item[0] == "partner":
            return Turn("partner", item[1])
    raise FrameError("a turn is not [speaker, text]")
