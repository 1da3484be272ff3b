"""Distractors for a set: lists of candidates drawn from replies that are nobody's reply there."""

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from harness.data.audit.gather import key
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

MAX_POOL = 1_000_000
"""Texts of a pool that are kept in memory; of a larger one a drawn million."""

MAX_COUNT = 1000
"""The longest list."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """Texts to draw from, no two equal after normalisation; and how many were not taken.

    `taken` are replies of the set, `doubles` equal another of the pool, `blank` hold no word.
    """

    texts: tuple[str, ...]
    taken: int
    doubles: int
    blank: int


class Needs(NamedTuple):
    """What a set needs: lists for so many examples, and no distractor that is a reply of it.

    `labels` are hashes of normalised replies, alternative ones included.
    """

    examples: int
    labels: set[int]

    @classmethod
    def of(cls, dialogues: Iterable[Dialogue]) -> "Needs":
        """The needs of these dialogues."""
        count = 0
        known: set[int] = set()
        for dialogue in dialogues:
            count += len(dialogue.examples)
            known.update(key(reply) for one in dialogue.examples for reply in one.replies)
        return cls(count, known)


def pool(dialogues: Iterable[Dialogue], *, needs: Needs, seed: int) -> Pool:
    """The first replies of these dialogues that may be distractors."""
    rng = _rng(seed, "pool")
    texts: list[str] = []
    seen: set[int] = set()
    taken = doubles = blank = 0
    for text in (example.replies[0] for one in dialogues for example in one.examples):
        known = key(text)
        if known in needs.labels:
            taken += 1
        elif known in seen:
            doubles += 1
        elif known == key(""):
            blank += 1
        else:
            seen.add(known)
            _keep(texts, text, number=len(seen), rng=rng)
    return Pool(tuple(texts), taken, doubles, blank)


def _keep(texts: list[str], text: str, *, number: int, rng: random.Random) -> None:
    """Keep a sample of `MAX_POOL` of all (Vitter 1985, algorithm R)."""
    if len(texts) < MAX_POOL:
        texts.append(text)
    elif (place := rng.randrange(number)) < MAX_POOL:
        texts[place] = text


def with_candidates(
    dialogues: Iterable[Dialogue], texts: tuple[str, ...], *, needs: Needs, count: int, seed: int
) -> Iterator[Dialogue]:
    """The dialogues with lists of `count`: the reply at a drawn place among distractors.

    `texts` must be different after normalisation and hold no reply of the set (`pool`). Where
    there are enough of them each is used at most once, as a reply is listed once as a rule and
    what is listed more often can be ruled out. Else each list is drawn from all.
    """
    _expect_count(count)
    if len(texts) < count - 1:
        raise UsageError(
            f"lists of {count} need {count - 1} distractors, and the pool has {len(texts)} that "
            "are no reply of the set; give a larger --pool or a smaller --count",
            code="pool_too_small",
        )
    rng = _rng(seed, "lists")
    once = needs.examples * (count - 1)
    deck = iter(rng.sample(texts, once)) if once <= len(texts) else None
    for dialogue in dialogues:
        dealt = (
            _listed(
                rng, one, list(islice(deck, count - 1)) if deck else rng.sample(texts, count - 1)
            )
            for one in dialogue.examples
        )
        yield dataclasses.replace(dialogue, examples=tuple(dealt))


def borrowed(
    dialogues: Callable[[], Iterable[tuple[object, Dialogue]]], *, count: int, seed: int
) -> Iterator[Dialogue]:
    """The dialogues with lists of `count` as ConvAI2 has them: replies of other talks of the set.

    `dialogues` reads each with its talk, twice. A reply is drawn as often as it is given, from
    any other talk, and none equals another of its list after normalisation. The reply's place is
    drawn as well. Such a set leaks what `borrowed-distractors` of the audit says.
    """
    _expect_count(count)
    replies = [(talk, e.replies[0]) for talk, one in dialogues() for e in one.examples]
    rng = _rng(seed, "borrowed")
    for talk, dialogue in dialogues():
        drawn = (
            _listed(rng, one, _other_replies(rng, one, talk=talk, replies=replies, count=count - 1))
            for one in dialogue.examples
        )
        yield dataclasses.replace(dialogue, examples=tuple(drawn))


def _other_replies(
    rng: random.Random,
    example: Example,
    *,
    talk: object,
    replies: list[tuple[object, str]],
    count: int,
) -> list[str]:
    taken = {key(text) for text in example.replies}
    drawn: list[str] = []
    for _ in range(100 * count):
        source, text = rng.choice(replies)
        if source != talk and key(text) not in taken:
            taken.add(key(text))
            drawn.append(text)
            if len(drawn) == count:
                return drawn
    raise UsageError(
        f"lists of {count + 1} need more different replies than the other talks of the file have "
        f"({len(drawn)} were found); choose a smaller number",
        code="pool_too_small",
    )


def _listed(rng: random.Random, example: Example, distractors: list[str]) -> Example:
    place = rng.randrange(len(distractors) + 1)
    listed = (*distractors[:place], example.replies[0], *distractors[place:])
    return dataclasses.replace(example, candidates=listed)


def _expect_count(count: int) -> None:
    if not 2 <= count <= MAX_COUNT:
        raise UsageError(f"a list has from 2 to {MAX_COUNT} candidates, not {count}")


def _rng(seed: int, what: str) -> random.Random:
    return random.Random(f"rostrum-candidates:{what}:{seed}")  # noqa: S311  (not a secret)
