"""Perplexity: how surprised the agent is by each word of the true reply.

Unit: per word; exp(total loss / scored words) over the whole set; lower is better. Scored are the
official words of the first reply that stand in the dictionary; the others are skipped but stay
in later prefixes; the end of a reply is not scored. Source: ConvAI2's eval_ppl.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import UsageError
from harness.metrics import mean
from harness.text import Vocabulary

UNIT = "per word"
HIGHER_IS_BETTER = False
COLUMNS = ("nats", "scored words")
"""What each dialogue adds."""

ZERO_RULES: dict[str, float] = {"infinite": 0.0, "floor-1e-10": 1e-10}
"""The least probability that a word is charged by each rule; ConvAI2's is `infinite`."""


def losses(weights: ArrayLike, sums: ArrayLike, *, zero: str = "infinite") -> NDArray[np.float64]:
    """-ln of the probability of each scored word, in nats, float64 `[n]`.

    `weights[i]` >= 0 is what the agent gave the true word, `sums[i]` > 0 what it gave the whole
    dictionary, so scaling a row changes nothing. A zero costs infinity, or what the `zero` rule
    says; an unknown rule is a `UsageError`.
    """
    if zero not in ZERO_RULES:
        raise UsageError(f"zero rule {zero!r} is unknown; known: {', '.join(ZERO_RULES)}")
    with np.errstate(divide="ignore"):
        # A difference of logarithms: the quotient of two floats could underflow to zero.
        logs = np.log(np.asarray(weights, dtype=np.float64)) - np.log(
            np.asarray(sums, dtype=np.float64)
        )
        least = np.log(ZERO_RULES[zero])
    nats: NDArray[np.float64] = np.maximum(-np.maximum(logs, least), 0.0)
    return nats


def score(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(nats / scored words), `[..., 2] -> [...]`; NaN without a word, infinite if a loss is."""
    with np.errstate(over="ignore"):
        return np.exp(mean.score(totals))


def scored_words(words: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """The places in `words` (one reply, split) that are scored: those in the dictionary."""
    return [place for place, word in enumerate(words) if word in vocabulary]
