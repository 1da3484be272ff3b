"""The mean: a sum over a number of examples, which is how most measures add up."""

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("sum", "examples")
"""What each dialogue adds."""


def score(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """sum / examples, `[..., 2] -> [...]`; NaN where there is no example."""
    weights = totals[..., 1]
    weighty = weights > 0
    means: NDArray[np.float64] = np.divide(
        totals[..., 0], weights, out=np.full(weights.shape, np.nan), where=weighty
    )
    return means
