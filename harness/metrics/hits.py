"""hits@k and the reciprocal rank: how far up the reply stands among the candidates.

Unit: fraction, from 0 to 1; the mean over all examples. hits@k of an example is 1 if one of the k
best-ranked candidates is a reply, else 0; chance is k / candidates. The reciprocal rank is
1 / rank of the best-ranked one, 0 if there is none (Voorhees 1999, TREC-8). Source of the rule:
ConvAI2 (Dinan et al. 2019), but ranked here from scores, with every example counted;
`harness.metrics.parlai` has the original's own rule.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.metrics import mean
from harness.metrics.gain import Gain
from harness.text import answer_traces, normalise

UNIT = "fraction"
HIGHER_IS_BETTER = True

score = mean.score
"""sum / examples, `[..., 2] -> [...]`."""

FURTHER_AT = (3, 5, 10)
"""The k of hits@k that are measured beside hits@1."""


def rank(
    scores: NDArray[np.float64], *, candidates: Sequence[str], replies: Sequence[str]
) -> int | None:
    """The place, from 1, of the best-placed candidate that equals a reply after normalisation.

    `scores`: finite, `[len(candidates)]`, higher is better. Equal scores keep the order of
    `candidates`, so that order must tell nothing of the reply. None if no candidate is a reply.

    >>> rank(np.array([0.1, 0.9]), candidates=["no.", "Yes!"], replies=["no"])
    2
    """
    best = None
    for place in places(candidates, replies=replies):
        if best is None or scores[place] > scores[best]:
            best = place
    if best is None:
        return None
    own = scores[best]
    above = np.count_nonzero(scores > own)
    return 1 + int(above) + int(np.count_nonzero(scores[:best] == own))


def measure(
    scores: NDArray[np.float64], *, candidates: Sequence[str], replies: Sequence[str], k: int = 1
) -> float:
    """1.0 if one of the `k` best candidates equals a reply after normalisation, else 0.0.

    >>> measure(np.array([0.1, 0.9]), candidates=["no.", "Yes!"], replies=["yes"])
    1.0
    """
    place = rank(scores, candidates=candidates, replies=replies)
    return 1.0 if place is not None and place <= k else 0.0


@lru_cache(maxsize=1024)
def gain(rank: int | None) -> Gain:
    """What an example adds whose reply stands at `rank`: hits@1, further hits, 1 / rank.

    >>> gain(4)
    Gain(value=0.0, weight=1.0, skipped=0, more=(0.0, 1.0, 1.0, 0.25), reply=None)
    """
    if rank is None:
        return Gain(0.0, more=(0.0,) * (len(FURTHER_AT) + 1))
    further = tuple(1.0 if rank <= k else 0.0 for k in FURTHER_AT)
    return Gain(1.0 if rank == 1 else 0.0, more=(*further, 1 / rank))


def places(candidates: Sequence[str], *, replies: Sequence[str]) -> list[int]:
    """The places in `candidates` of those that equal a reply after normalisation, rising."""
    traces = answer_traces((*replies, *candidates))
    wanted = set(traces[: len(replies)])
    found, normal = [], None
    for place, trace in enumerate(traces[len(replies) :]):
        if trace not in wanted:
            continue
        text = candidates[place]
        if text not in replies:
            normal = normal or {normalise(reply) for reply in replies}
            if normalise(text) not in normal:
                continue
        found.append(place)
    return found


def found(answers: Iterable[str], *, replies: Sequence[str]) -> float:
    """1.0 if one of the answers equals a reply after normalisation, else 0.0."""
    wanted = {normalise(reply) for reply in replies}
    return 1.0 if any(normalise(answer) in wanted for answer in answers) else 0.0
