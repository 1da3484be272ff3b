"""What a rule that understands nothing earns on lists of candidates, against chance.

A rule gives every candidate a number and takes the highest; equal ones share the hit, as a drawn
order would give it on average. The true hits@1 of such a rule is chance on a good set.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.data.audit.finding import Finding, Place, Severity
from harness.data.audit.gather import Hashes, Lists

Scores = NDArray[np.float64]

SHARD = 50
"""Dialogues in a shard of a hidden set with borrowed distractors, as `harness.data.shards` has."""

MIN_LISTS = 20
"""Fewer lists say nothing about a rule."""

SURE = 4.0
"""Standard errors above chance from which on a rule counts as better."""


class Earned(NamedTuple):
    """What a rule earns: hits@1, chance on the same lists, and how sure the difference is."""

    hits: float
    chance: float
    sigmas: float

    def severity(self, *, grave: float = 3.0) -> Severity | None:
        """Error from so many times chance or half of what is left above it, warning from 1.2."""
        if self.sigmas < SURE or self.hits < 1.2 * self.chance:
            return None
        bad = self.hits >= grave * self.chance or self.hits >= (1 + self.chance) / 2
        return Severity.ERROR if bad else Severity.WARNING

    def __str__(self) -> str:
        return f"{100 * self.hits:.1f} % hits@1 instead of {100 * self.chance:.1f} %"


def earned(lists: Lists, scores: Scores) -> Earned:
    """What the rule earns that gives each candidate the number in `scores`.

    The standard error is over dialogues, whose examples are not independent, and at least that of
    a guess.
    """
    top = scores == np.repeat(np.maximum.reduceat(scores, lists.start), lists.size)
    hits = _sum(top & lists.right, lists) / _sum(top, lists)
    chance = _sum(lists.right, lists) / lists.size
    gain = float(np.mean(hits - chance))
    by_dialogue = np.bincount(lists.owner, weights=hits - chance - gain)
    error = np.sqrt(max(np.sum(by_dialogue**2), np.sum(chance * (1 - chance)))) / len(lists)
    return Earned(
        hits=float(np.mean(hits)),
        chance=float(np.mean(chance)),
        sigmas=gain / float(error) if error else 0.0,
    )


def _sum(flags: NDArray[np.bool_], lists: Lists) -> Scores:
    return np.add.reduceat(flags, lists.start, dtype=np.float64)


def by_rules(lists: Lists, *, places: int) -> list[Finding]:
    """The findings of every rule; none on fewer than `MIN_LISTS` lists."""
    if len(lists) < MIN_LISTS:
        return []
    return [
        *_length(lists, places=places),
        *_frequency(lists, places=places),
        *_on_screen(lists, places=places),
        *_borrowed(lists, places=places),
    ]


def _length(lists: Lists, *, places: int) -> list[Finding]:
    scores = lists.length.astype(np.float64)
    return _best(
        lists,
        {"longest": scores, "shortest": -scores},
        check="reply-length",
        sentence="an agent that always takes the {} candidate gets {}",
        places=places,
    )


def _frequency(lists: Lists, *, places: int) -> list[Finding]:
    _, inverse, counts = np.unique(lists.text, return_inverse=True, return_counts=True)
    scores = counts[inverse].astype(np.float64)
    return _best(
        lists,
        {"most often listed": scores, "least often listed": -scores},
        check="reply-frequency",
        sentence="an agent that knows all lists and takes the {} candidate gets {}",
        places=places,
    )


def _on_screen(lists: Lists, *, places: int) -> list[Finding]:
    count = int(np.sum(lists.on_screen & lists.right))
    if not count:
        return []
    got = earned(lists, lists.on_screen.astype(np.float64))
    found = _finding(
        lists,
        "reply-on-screen",
        severity=got.severity() or Severity.NOTE,
        hit=lists.on_screen & lists.right,
        detail=f"an agent that repeats what it has on screen gets {got}",
        places=places,
    )
    return [found]


def _best(
    lists: Lists, rules: dict[str, Scores], *, check: str, sentence: str, places: int
) -> list[Finding]:
    """A finding if the best of these rules is better than chance."""
    found = {name: earned(lists, scores) for name, scores in rules.items()}
    name = max(found, key=lambda one: found[one].hits)
    severity = found[name].severity()
    if severity is None:
        return []
    scores = rules[name]
    top = scores == np.repeat(np.maximum.reduceat(scores, lists.start), lists.size)
    return [
        _finding(
            lists,
            check,
            severity=severity,
            hit=top & lists.right,
            detail=sentence.format(name, found[name]),
            places=places,
        )
    ]


def _borrowed(lists: Lists, *, places: int) -> list[Finding]:
    """Distractors that are replies of other dialogues, and what remembering replies earns.

    All dialogues of a set advance together, so when a turn is asked the replies of all turns
    before it have been shown. What was shown twice is common and may be the reply as well, so an
    agent rules out what it was shown, or only what it was shown once, whichever earns more.
    """
    found = _returning(lists, places=places)
    borrowed = (elsewhere(lists, ever=True) > 0) & ~lists.right
    if not borrowed.any():
        return found
    whole, shards = _remembering(lists), _remembering(lists, shard=SHARD)
    of = f"{int(borrowed.sum()):,} of {int((~lists.right).sum()):,} distractors"
    detail = (
        f"{of}; an agent that rules out the replies it was shown gets {whole}, in shards of "
        f"{SHARD} dialogues {100 * shards.hits:.1f} %"
    )
    severity = whole.severity(grave=2.0) or Severity.WARNING
    return [
        _finding(
            lists,
            "borrowed-distractors",
            severity=severity,
            hit=borrowed,
            detail=detail,
            places=places,
        ),
        *found,
    ]


def _remembering(lists: Lists, *, shard: int | None = None) -> Earned:
    shown = elsewhere(lists, shard=shard)
    rules = (shown > 0, shown == 1)
    return max((earned(lists, -out.astype(np.float64)) for out in rules), key=lambda one: one.hits)


def _returning(lists: Lists, *, places: int) -> list[Finding]:
    """The reverse: where distractors are from elsewhere, a common reply is known when it is met."""
    return _best(
        lists,
        {"most often": elsewhere(lists).astype(np.float64)},
        check="returning-replies",
        sentence="an agent that takes the candidate that it was {} shown as a reply gets {}",
        places=places,
    )


def elsewhere(lists: Lists, *, ever: bool = False, shard: int | None = None) -> Hashes:
    """Of each candidate, how often it was a reply of another dialogue at an earlier turn.

    With `ever` at any turn; with `shard` only dialogues in the same row of so many count.
    """
    texts, replies, owner = lists.text, lists.all_replies, lists.owner[lists.of]
    if shard is not None:  # a text of another shard is another text
        texts = _mixed(texts, owner // shard)
        replies = _mixed(replies, lists.all_owners // shard)
    codes, groups = np.unique(replies, return_inverse=True)
    at = np.minimum(np.searchsorted(codes, texts), len(codes) - 1)
    turns = int(lists.all_turns.max()) + 1
    limit = np.full_like(texts, turns) if ever else lists.turn[lists.of]
    dialogues = int(lists.all_owners.max()) + 1
    count = _before(groups, lists.all_turns, group=at, limit=limit, turns=turns)
    own = _before(
        groups * dialogues + lists.all_owners,
        lists.all_turns,
        group=at * dialogues + owner,
        limit=limit,
        turns=turns,
    )
    return np.where(codes[at] == texts, count - own, 0)


def _before(groups: Hashes, turn: Hashes, *, group: Hashes, limit: Hashes, turns: int) -> Hashes:
    """How many rows of `groups` are of each `group` and of a turn below its limit."""
    keys = np.sort(groups * (turns + 1) + turn)
    start = group * (turns + 1)
    return np.searchsorted(keys, start + limit) - np.searchsorted(keys, start)


def _mixed(texts: Hashes, shard: Hashes) -> Hashes:
    return texts ^ (shard * np.int64(0x2545F4914F6CDD1D))


def _finding(
    lists: Lists,
    check: str,
    *,
    severity: Severity,
    hit: NDArray[np.bool_],
    detail: str,
    places: int,
) -> Finding:
    """A finding whose count is of the lists with such a candidate."""
    count = int(np.sum(np.maximum.reduceat(hit, lists.start)))
    return Finding(
        check,
        severity,
        lists.file,
        count=count,
        total=len(lists),
        unit="examples",
        detail=detail,
        places=tuple(
            Place(
                lists.file,
                int(lists.owner[lists.of[at]]),
                int(lists.turn[lists.of[at]]),
                int(at - lists.start[lists.of[at]]),
            )
            for at in np.flatnonzero(hit)[:places]
        ),
    )
