"""Twins: two dialogues that tell one talk from its two sides.

What one of them hears is what the other says, so the context of the one shows the replies of the
other. Hidden sets keep them in different shards, splits keep them together, the audit counts them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from harness.dialogue import SILENCE, Dialogue
from harness.text import normalise


class Sides(NamedTuple):
    """What a dialogue says and hears, as hashes of normalised texts; `__SILENCE__` is neither."""

    said: Set[int]
    heard: Set[int]


def sides(dialogue: Dialogue) -> Sides:
    """The two sides of a dialogue.

    Hashes are those of this process (eight bytes, salted anew in each), so that a set larger than
    memory can be compared and nobody can prepare texts that collide.
    """
    return Sides(
        said=frozenset(hash(normalise(one.replies[0])) for one in dialogue.examples),
        heard=frozenset(
            hash(normalise(text))
            for one in dialogue.examples
            for text in one.partner
            if text != SILENCE
        ),
    )


def twins(dialogues: Sequence[Sides]) -> list[set[int]]:
    """For each dialogue the places of its twins.

    Twins share, both ways round, at least half of the shorter side's utterances. Compared are
    only dialogues whose rarer texts meet: where k of a side's n texts must be common, one of any
    n - k + 1 of them is, so it is enough to look up the rarest so many.
    """
    found: list[set[int]] = [set() for _ in dialogues]
    for place, other in _meetings(dialogues):
        if are_twins(dialogues[place], dialogues[other]):
            found[place].add(other)
            found[other].add(place)
    return found


def are_twins(one: Sides, other: Sides) -> bool:
    """Whether each hears what the other says: half or more of the shorter side, both ways round."""
    return (
        bool(one.heard and other.heard)
        and _covers(one.heard, other.said)
        and _covers(other.heard, one.said)
    )


def _covers(heard: Set[int], said: Set[int]) -> bool:
    return 2 * len(heard & said) >= min(len(heard), len(said))


def _meetings(dialogues: Sequence[Sides]) -> Iterator[tuple[int, int]]:
    """Pairs of places, each perhaps several times, among which are all twins."""
    count = Counter(text for one in dialogues for side in one for text in side)
    speakers, listeners = (
        _index(one.said for one in dialogues),
        _index(one.heard for one in dialogues),
    )
    for place, one in enumerate(dialogues):
        for texts, holders in ((one.heard, speakers), (one.said, listeners)):
            met = {other for text in _rarest(texts, count) for other in holders.get(text, ())}
            yield from ((place, other) for other in met if other != place)


def _index(sets: Iterable[Set[int]]) -> dict[int, list[int]]:
    holders: dict[int, list[int]] = defaultdict(list)
    for place, texts in enumerate(sets):
        for text in texts:
            holders[text].append(place)
    return holders


def _rarest(texts: Set[int], count: Counter[int]) -> list[int]:
    """The texts of which at least one is common to a twin whose side is not the shorter one."""
    needed = -(-len(texts) // 2)
    return sorted(texts, key=lambda text: (count[text], text))[: len(texts) - needed + 1]
