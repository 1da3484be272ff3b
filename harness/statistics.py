"""A score and its interval from per-dialogue totals.

Turns of one dialogue are not independent, so dialogues are resampled: a percentile bootstrap of
the ratio sum(value) / sum(weight), with as many dialogues drawn as there are. One seed, one
interval. An interval from few dialogues is too narrow; from a single one it has no width.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.errors import UsageError
from harness.report import Score, Total

CONFIDENCE = 0.95

_BLOCK = 2_000_000
"""Draws held in memory at a time."""


def score(
    track: Track, totals: Sequence[Total], *, examples: int, seed: int = 0, resamples: int = 1000
) -> Score:
    """The score of `totals` (one per dialogue) with its 95 % interval; `n` is `examples`.

    hits and f1: the mean per example. ppl: exp of the mean loss per scored word, infinite if one
    loss is. Resamples without any weight (ppl: no scored word) are left out. `UsageError` where
    nothing has weight.
    """
    values = np.array([total.value for total in totals], dtype=np.float64)
    weights = np.array([total.weight for total in totals], dtype=np.float64)
    weight = math.fsum(weights)
    if not weight > 0:
        missing = "word of the dictionary" if track == "ppl" else "example"
        raise UsageError(f"there is no {missing} to score; check the data set")
    ratio = math.fsum(values) / weight
    ratios = np.sort(_resampled(values, weights, seed=seed, resamples=resamples))
    low, high = _bounds(ratios) if len(ratios) else (ratio, ratio)
    if track == "ppl":
        ratio, low, high = (_exp(nats) for nats in (ratio, low, high))
    return Score(value=ratio, low=low, high=high, n=examples)


def _resampled(
    values: NDArray[np.float64], weights: NDArray[np.float64], *, seed: int, resamples: int
) -> NDArray[np.float64]:
    """The ratio of each resample that has weight, `[<= resamples]`."""
    rng = np.random.default_rng(seed)
    sums = [
        (values[draws].sum(axis=1), weights[draws].sum(axis=1))
        for draws in _draws(rng, count=len(values), resamples=resamples)
    ]
    value = np.concatenate([row[0] for row in sums])
    weight = np.concatenate([row[1] for row in sums])
    weighty = weight > 0
    ratios: NDArray[np.float64] = value[weighty] / weight[weighty]
    return ratios


def _draws(rng: np.random.Generator, *, count: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Places of drawn dialogues, `[<= rows, count]` at a time, `resamples` rows in all."""
    rows = max(1, _BLOCK // count)
    for start in range(0, resamples, rows):
        yield rng.integers(count, size=(min(rows, resamples - start), count))


def _bounds(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """The percentiles, taken from the resamples themselves: infinity cannot be interpolated."""
    cut = int(len(ordered) * (1 - CONFIDENCE) / 2)
    return float(ordered[cut]), float(ordered[-1 - cut])


def _exp(nats: float) -> float:
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf
