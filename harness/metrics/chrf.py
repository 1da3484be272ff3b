"""chrF: how many character n-grams the answers share with the replies, over the whole set.

Unit: points, from 0 to 100. A corpus score, not a mean: precision and recall of the summed counts
of character n-grams without whitespace, averaged over those n = 1 to 6 that both sides have, then
chrF = 100 (1 + b²) P R / (b² P + R) with b = 2. Source: Popović 2015 (WMT); as in sacrebleu with
its defaults, case kept. sacrebleu is imported when the first answer is measured.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

UNIT = "points"
HIGHER_IS_BETTER = True

ORDER = 6
COLUMNS = tuple(
    f"{part} {n}-grams" for n in range(1, ORDER + 1) for part in ("answer", "reply", "matched")
)
"""What each dialogue adds, in sacrebleu's order."""

_RECALL_WEIGHT = 2.0**2


def measure(reply: str, *, replies: Sequence[str]) -> tuple[float, ...]:
    """The statistics of one answer against the label that it is nearest to, as in `COLUMNS`."""
    # sacrebleu has no public way to a sentence's counts; a test holds this one to its scores.
    rows = _metric()._extract_corpus_statistics([reply], [[given] for given in replies])
    return tuple(rows[0])


def score(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """chrF of summed statistics, `[..., 18] -> [...]`; NaN where there is no reply at all."""
    answer, reply, matched = totals[..., 0::3], totals[..., 1::3], totals[..., 2::3]
    both = (answer > 0) & (reply > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, matched / np.maximum(answer, 1), 0.0).sum(axis=-1) / orders
    recall = np.where(both, matched / np.maximum(reply, 1), 0.0).sum(axis=-1) / orders
    below = _RECALL_WEIGHT * precision + recall
    points = 100 * (1 + _RECALL_WEIGHT) * precision * recall / np.where(below > 0, below, 1.0)
    return np.where(totals.any(axis=-1), points, np.nan)


def signature(references: int | None) -> str:
    """sacrebleu's own signature; `references` per answer, None where their number differs."""
    metric = _fresh()
    metric.num_refs = -1 if references is None else references
    return str(metric.get_signature())


@cache
def _metric() -> "CHRF":
    return _fresh()


def _fresh() -> "CHRF":
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
