"""distinct-n: how many different word n-grams the answers have, per word.

Unit: fraction, from 0 to 1; over all answers together. distinct-n = |different n-grams| / |words|,
both by the official split, no n-gram crossing from one answer to the next. Source: Li et al. 2016
(NAACL), who divide by words, not by n-grams. It falls as a set grows and random words
score best: a profile of one set, never a rank, without an interval, and it does not add up over
dialogues or shards.
"""

from itertools import pairwise

from harness.text import split_words

UNIT = "fraction"
HIGHER_IS_BETTER = None


class Distinct:
    """Gathers the words and word pairs of answers; in memory are the different ones only."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.count = 0

    def add(self, reply: str) -> None:
        """Take in one answer."""
        words = split_words(reply)
        self.words.update(words)
        self.pairs.update(pairwise(words))
        self.count += len(words)

    def scores(self) -> dict[str, float]:
        """distinct-1 and distinct-2; 0 where no word was said."""
        count = max(self.count, 1)
        return {"distinct-1": len(self.words) / count, "distinct-2": len(self.pairs) / count}
