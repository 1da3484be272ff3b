"""hits@k: whether one of the k best-ranked candidates is the reply.

Unit: fraction of examples, from 0 to 1; the mean over all examples. Chance is k / candidates.
Source: ConvAI2 (Dinan et al. 2019), but ranked here from scores, with every example counted;
`harness.metrics.parlai` has the original's own rule.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.text import normalise

UNIT = "fraction"
HIGHER_IS_BETTER = True


def measure(
    scores: NDArray[np.float64], *, candidates: Sequence[str], replies: Sequence[str], k: int = 1
) -> float:
    """1.0 if one of the `k` best candidates equals a reply after normalisation, else 0.0.

    `scores`: finite, `[len(candidates)]`, higher is better. Equal scores keep the order of
    `candidates`, so that order must tell nothing of the reply.

    >>> measure(np.array([0.1, 0.9]), candidates=["no.", "Yes!"], replies=["yes"])
    1.0
    """
    best = np.argsort(-scores, kind="stable")[:k]
    return found((candidates[place] for place in best.tolist()), replies=replies)


def found(answers: Iterable[str], *, replies: Sequence[str]) -> float:
    """1.0 if one of the answers equals a reply after normalisation, else 0.0."""
    wanted = {normalise(reply) for reply in replies}
    return 1.0 if any(normalise(answer) in wanted for answer in answers) else 0.0
