"""BLEU: how many of the answers' word n-grams stand in the replies, over the whole set.

Unit: points, from 0 to 100. A corpus score, not a mean: with clipped n-gram precisions p_n (n = 1
to 4) of the summed counts, BLEU = 100 min(1, exp(1 - r/c)) (p_1 p_2 p_3 p_4)^(1/4), c and r being
the words of answers and of the nearest replies; an order without a match counts 1 / (2^i total)
at its i-th time ("exp" smoothing). Source: Papineni et al. 2002 (ACL); as in sacrebleu (Post 2018)
with its default tokenizer 13a and case kept. sacrebleu is imported when the first answer is
measured.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

UNIT = "points"
HIGHER_IS_BETTER = True

ORDER = 4
COLUMNS = (
    "answer words",
    "reply words",
    *(f"matched {n}-grams" for n in range(1, ORDER + 1)),
    *(f"{n}-grams" for n in range(1, ORDER + 1)),
)
"""What each dialogue adds, in sacrebleu's order."""


def measure(reply: str, *, replies: Sequence[str]) -> tuple[float, ...]:
    """The statistics of one answer against its labels, in the order of `COLUMNS`.

    An n-gram is matched as often as it stands in the label that has it most; the reply's length
    is that of the label nearest in length.
    """
    found = _metric().sentence_score(reply, list(replies))
    return (found.sys_len, found.ref_len, *found.counts, *found.totals)


def score(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU of summed statistics, `[..., 10] -> [...]`; NaN where there is no reply at all."""
    answer, reply = totals[..., 0], totals[..., 1]
    matched, counts = totals[..., 2 : 2 + ORDER], totals[..., 2 + ORDER :]
    none = matched == 0
    halvings = np.where(none, 2.0 ** np.cumsum(none, axis=-1), 1.0)
    precisions = np.where(none, 1.0, matched) / (halvings * np.maximum(counts, 1))
    geometric = np.exp(np.log(precisions).mean(axis=-1))
    brevity = np.exp(np.minimum(0.0, 1 - reply / np.maximum(answer, 1)))
    silent = none.all(axis=-1) | (counts == 0).any(axis=-1)
    points = np.where(silent, 0.0, 100 * brevity * geometric)
    return np.where(answer + reply > 0, points, np.nan)


def signature(references: int | None) -> str:
    """sacrebleu's own signature; `references` per answer, None where their number differs."""
    metric = _fresh(effective_order=False)
    metric.num_refs = -1 if references is None else references
    return str(metric.get_signature())


@cache
def _metric() -> "BLEU":
    # With effective_order sacrebleu does not warn of single sentences; the counts are the same.
    return _fresh(effective_order=True)


def _fresh(*, effective_order: bool) -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=effective_order)
