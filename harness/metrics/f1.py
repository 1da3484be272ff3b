"""F1: how many words a reply shares with the one that was given.

Unit: fraction, from 0 to 1; the mean over all examples. Source: ConvAI2's rule, after SQuAD
(Rajpurkar et al. 2016, section 6.1). With n words in common, counted with multiplicity after
normalisation: precision = n / |reply|, recall = n / |label|, F1 their harmonic mean.
"""

from collections.abc import Sequence
from typing import NamedTuple

from harness.metrics import mean
from harness.metrics.gain import Gain
from harness.text import answer_words

UNIT = "fraction"
HIGHER_IS_BETTER = True

score = mean.score
"""sum / examples, `[..., 2] -> [...]`."""


class F1(NamedTuple):
    """The overlap of a reply with one label: F1 and what it is the harmonic mean of."""

    f1: float
    precision: float
    recall: float


_NOTHING = F1(0.0, 0.0, 0.0)


def overlap(reply: str, *, replies: Sequence[str]) -> F1:
    """F1, precision and recall of `reply` against that of `replies` with the best F1.

    No common word is 0, also where both sides are empty; of labels with equal F1 the first counts.
    `ValueError` without a label.

    >>> overlap("I like the dogs!", replies=["I like cats.", "Dogs."])
    F1(f1=0.6666666666666666, precision=0.6666666666666666, recall=0.6666666666666666)
    """
    words = answer_words(reply)
    if len(replies) == 1:
        return of_words(words, answer_words(replies[0]))
    return max(
        (of_words(words, answer_words(given)) for given in replies), key=lambda found: found.f1
    )


def measure(reply: str, *, replies: Sequence[str]) -> float:
    """The best F1 of `reply` against the given `replies` (at least one).

    >>> measure("I like the dogs!", replies=["I like cats."])
    0.6666666666666666
    """
    return overlap(reply, replies=replies).f1


def gain(found: F1, *, reply: str | None = None) -> Gain:
    """What an example with this overlap adds; `reply` is kept where a profile is wanted."""
    return Gain(found.f1, more=(found.precision, found.recall), reply=reply)


def of_words(words: Sequence[str], given: Sequence[str]) -> F1:
    """The overlap of two normalised texts, as words."""
    common = 0
    for word in set(given).intersection(words):
        common += min(words.count(word), given.count(word))
    if common == 0:
        return _NOTHING
    precision, recall = common / len(words), common / len(given)
    return F1(2 * precision * recall / (precision + recall), precision, recall)
