"""What a file of dialogues holds, in numbers, counted in one pass."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from harness.data import jsonl
from harness.data.audit.gather import key
from harness.dialogue import SILENCE, Dialogue
from harness.text import split_words


class Spread(NamedTuple):
    """How a count is spread: least, median, what 90 % do not exceed, most."""

    least: int
    median: int
    ninety: int
    most: int

    @classmethod
    def of(cls, counts: Counter[int]) -> "Spread":
        """Of how often each value was seen; zeros for none (nearest-rank percentiles)."""
        if not counts.total():
            return cls(0, 0, 0, 0)
        return cls(min(counts), _rank(counts, tenths=5), _rank(counts, tenths=9), max(counts))


@dataclass(frozen=True, slots=True)
class Stats:
    """The numbers of a file; words are those of the official split.

    `words` counts what is said by both sides, `unique_words` those that differ; `labels` is the
    number of answers an example has, `reply_words` the length of the first one.
    `duplicate_dialogues` tell the same talk as one before; `silent` begin with the agent's side.
    """

    dialogues: int
    examples: int
    words: int
    unique_words: int
    reply_words: Spread
    turns: Spread
    labels: Spread
    candidates: Spread
    unique_replies: int
    personas: int
    persona_sentences: Spread
    with_partner_persona: int
    rewards: int
    silent: int
    duplicate_dialogues: int
    sha256: str

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Every field; a spread as an object."""
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {n: v._asdict() if isinstance(v, Spread) else v for n, v in values}


def stats(dialogues: Iterable[Dialogue]) -> Stats:
    """Count; remembered are the different words and eight bytes for each reply and dialogue."""
    count = _Count()
    sha256 = jsonl.digest(count.passing(dialogues))
    return Stats(
        dialogues=count.turns.total(),
        examples=count.labels.total(),
        words=count.words,
        unique_words=len(count.vocabulary),
        reply_words=Spread.of(count.reply_words),
        turns=Spread.of(count.turns),
        labels=Spread.of(count.labels),
        candidates=Spread.of(count.candidates),
        unique_replies=len(count.replies),
        personas=len(count.personas),
        persona_sentences=Spread.of(count.sentences),
        with_partner_persona=count.with_partner_persona,
        rewards=count.rewards,
        silent=count.silent,
        duplicate_dialogues=count.duplicates,
        sha256=sha256,
    )


class _Count:
    """What is counted as the dialogues pass."""

    def __init__(self) -> None:
        self.turns, self.labels, self.candidates = Counter[int](), Counter[int](), Counter[int]()
        self.reply_words, self.sentences = Counter[int](), Counter[int]()
        self.vocabulary: set[str] = set()
        self.replies, self.personas, self.talks = set[int](), set[int](), set[int]()
        self.words = self.rewards = self.silent = 0
        self.with_partner_persona = self.duplicates = 0

    def passing(self, dialogues: Iterable[Dialogue]) -> Iterator[Dialogue]:
        """The same dialogues, counted."""
        for dialogue in dialogues:
            self._add(dialogue)
            yield dialogue

    def _add(self, dialogue: Dialogue) -> None:
        self.turns[len(dialogue.examples)] += 1
        self.sentences[len(dialogue.persona)] += 1
        if dialogue.persona:
            self.personas.add(hash(frozenset(key(text) for text in dialogue.persona)))
        self.with_partner_persona += bool(dialogue.partner_persona)
        self.silent += bool(dialogue.examples) and dialogue.examples[0].partner[0] == SILENCE
        talk = 0
        for example in dialogue.examples:
            self.labels[len(example.replies)] += 1
            self.candidates[len(example.candidates)] += 1
            self.rewards += example.reward is not None
            self.replies.add(key(example.replies[0]))
            for text in example.partner:
                self._read("" if text == SILENCE else text)
            self.reply_words[self._read(example.replies[0])] += 1
            talk = hash((talk, *map(key, example.partner), key(example.replies[0])))
        self.duplicates += talk in self.talks
        self.talks.add(talk)

    def _read(self, text: str) -> int:
        words = split_words(text)
        self.words += len(words)
        self.vocabulary.update(words)
        return len(words)


def _rank(counts: Counter[int], *, tenths: int) -> int:
    """The value that at least so many tenths do not exceed."""
    passed = 0
    for value in sorted(counts):
        passed += counts[value]
        if 10 * passed >= tenths * counts.total():
            break
    return value
