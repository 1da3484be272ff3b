"""A context becomes ids: persona, earlier turns and the last one, as text or as memories.

Ids of marks (`__p1__`, `__end__`, ...) are placed by this module alone: a text that spells one is
read as an unknown word, so nobody talks himself into another person's turn. The exception is
`__SILENCE__`, a whole turn by ConvAI2's convention, which has an id of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from harness.dialogue import SILENCE, Context, Dialogue, Turn
from harness.text import SPECIALS, split_words
from harness.torch.batch import Ids, Observation
from harness.torch.options import TextOptions
from harness.torch.words import END, UNKNOWN, Words

_KEPT_LINES, _KEPT_LENGTH = 1 << 14, 1000
"""Lines that a vectoriser remembers, and the longest of them in characters."""

PARTNER_TOKEN, SELF_TOKEN, SILENCE_TOKEN = "__p1__", "__p2__", SILENCE.lower()
MARKS = (PARTNER_TOKEN, SELF_TOKEN, SILENCE_TOKEN)
"""Words of our own in every model's vocabulary, after the specials."""


def learn_words(
    dialogues: Iterable[Dialogue], *, options: TextOptions | None = None, minimum: int = 1
) -> Words:
    """The words seen at least `minimum` times in a training set, with `MARKS` and the delimiter's.

    Personas, what partners say and replies are counted; candidates are not.
    """
    options = options or TextOptions()
    delimiter = [word for word in split_words(options.delimiter) if word not in SPECIALS]
    prefixes = split_words(f"{options.persona_prefix} {options.partner_prefix}")
    extra = tuple(dict.fromkeys([*MARKS, *delimiter, *prefixes]))
    texts = (text for dialogue in dialogues for text in _texts(dialogue))
    return Words.build(texts, minimum=minimum, extra=extra)


def _texts(dialogue: Dialogue) -> Iterator[str]:
    yield from dialogue.persona
    yield from dialogue.partner_persona
    for example in dialogue.examples:
        yield from (text for text in example.partner if text != SILENCE)
        yield from example.replies


@dataclass(frozen=True)
class Vectoriser:
    """Words and options, and whether a reply's ids end in `END` (a generator's do)."""

    words: Words
    options: TextOptions
    label_end: bool = False

    def observe(
        self, context: Context, *, labels: Sequence[str] = (), candidates: Sequence[str] = ()
    ) -> Observation:
        """A context in ids, with its right replies and candidates where they are known."""
        return Observation(
            context=context,
            text=self.text(context),
            label=self.reply(labels[0]) if labels else (),
            labels=tuple(labels),
            candidates=tuple(candidates),
            candidate_vecs=tuple(self.reply(text) for text in candidates),
            memories=self.memories(context),
        )

    def text(self, context: Context) -> Ids:
        """The persona (as lines) and the turns that are text; never empty.

        Truncation takes from the left, so the last words stay.
        """
        lines = self._persona(context, prefixed=True) if self.options.persona == "lines" else []
        lines += self._spoken(self._turns(context)[1])
        joined: list[int] = []
        for line in lines:
            joined += [*self._delimiter, *line] if joined else line
        limit = self.options.text_truncate
        return tuple(joined[-limit:] if limit is not None else joined) or (UNKNOWN,)

    def memories(self, context: Context) -> tuple[Ids, ...]:
        """Persona sentences, then earlier turns in their order, as far as they are memories."""
        room = self.options.memories
        as_memories = self.options.persona == "memories"
        persona = self._persona(context, prefixed=False)[:room] if as_memories else []
        turns = self._turns(context)[0]
        turns = turns[max(0, len(turns) - (room - len(persona))) :]
        limit = self.options.text_truncate
        return tuple([ids[:limit] for ids in (*persona, *self._spoken(turns)) if ids])

    def reply(self, text: str) -> Ids:
        """A reply or candidate in ids; never empty. Truncation takes from the right.

        The end is a word of its own and is cut with the others: a reply that was cut did not end.
        """
        ids = self._ids(text) or (UNKNOWN,)
        return ((*ids, END) if self.label_end else ids)[: self.options.label_truncate]

    def _turns(self, context: Context) -> tuple[Sequence[Turn], Sequence[Turn]]:
        """The turns that are memories, and those that are text."""
        turns = context.turns or (Turn("partner", SILENCE),)
        if self.options.history_size is not None:
            turns = turns[-self.options.history_size :]
        cut = len(turns) - self.options.query_turns if self.options.history == "memories" else 0
        return turns[: max(0, cut)], turns[max(0, cut) :]

    def _persona(self, context: Context, *, prefixed: bool) -> list[Ids]:
        own, partner = self.options.persona_prefix, self.options.partner_prefix
        lines = [(own, text) for text in context.persona]
        lines += [(partner, text) for text in context.partner_persona]
        if not prefixed:
            return [self._ids(text) for _, text in lines]
        return [self._ids(mark) + self._ids(text) for mark, text in lines]

    def _spoken(self, turns: Sequence[Turn]) -> list[Ids]:
        """Each turn in ids; one comes again with every later example of its talk."""
        kept, longest, read = self._kept_turns, _KEPT_LENGTH, self._said
        return [
            kept(turn.text, turn.speaker)
            if len(turn.text) <= longest
            else read(turn.text, turn.speaker)
            for turn in turns
        ]

    def _said(self, text: str, speaker: str) -> Ids:
        ids = (self._mark[SILENCE_TOKEN],) if text == SILENCE else self._ids(text)
        return (self._mark[_PERSONS[speaker]], *ids) if self.options.person_tokens else ids

    def _ids(self, text: str) -> Ids:
        """A text in ids; the turns of a talk come again with each of its examples, so keep them."""
        return self._kept_ids(text) if len(text) <= _KEPT_LENGTH else self._read(text)

    def _read(self, text: str) -> Ids:
        number = self._sayable.get
        return tuple([number(word, UNKNOWN) for word in split_words(text)])

    @cached_property
    def _kept_ids(self) -> Callable[[str], Ids]:
        return lru_cache(maxsize=_KEPT_LINES)(self._read)

    @cached_property
    def _kept_turns(self) -> Callable[[str, str], Ids]:
        return lru_cache(maxsize=_KEPT_LINES)(self._said)

    @cached_property
    def _mark(self) -> dict[str, int]:
        return dict(zip(MARKS, self.words.numbers(MARKS), strict=True))

    @cached_property
    def _delimiter(self) -> list[int]:
        return self.words.ids(self.options.delimiter)

    @cached_property
    def _sayable(self) -> dict[str, int]:
        """The words that a text may spell, by id: all but the marks."""
        marks = {*SPECIALS, *MARKS}
        return {word: id_ for word, id_ in self.words.index.items() if word not in marks}


_PERSONS = {"partner": PARTNER_TOKEN, "self": SELF_TOKEN}
