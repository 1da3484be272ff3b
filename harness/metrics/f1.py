"""F1: how many words a reply shares with the one that was given.

Unit: fraction, from 0 to 1; the mean over all examples. Source: ConvAI2's rule, after SQuAD.
"""

from collections import Counter
from collections.abc import Sequence

from harness.text import normalise

UNIT = "fraction"
HIGHER_IS_BETTER = True


def measure(reply: str, *, replies: Sequence[str]) -> float:
    """The best F1 of `reply` against the given `replies` (at least one).

    Words are counted with multiplicity after normalisation; no common word is 0, also where
    both sides are empty.

    >>> measure("I like the dogs!", replies=["I like cats."])
    0.6666666666666666
    """
    words = normalise(reply).split()
    return max(_overlap(words, normalise(given).split()) for given in replies)


def _overlap(words: list[str], given: list[str]) -> float:
    common = (Counter(words) & Counter(given)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(words), common / len(given)
    return 2 * precision * recall / (precision + recall)
