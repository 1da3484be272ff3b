"""Scores, means and shares with their 95 % intervals.

Turns of one dialogue are not independent, nor are ratings of one rater, so whole dialogues and
whole raters are resampled: a percentile bootstrap of the ratio sum(value) / sum(weight), with as
many drawn as there are. One seed, one interval. An interval from few is too narrow.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.errors import UsageError
from harness.report import Score, Total

CONFIDENCE = 0.95

_BLOCK = 2_000_000
"""Draws held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of `n` values from `clusters` clusters; without bounds where there is but one."""

    value: float
    low: float | None
    high: float | None
    n: int
    clusters: int


def score(
    track: Track, totals: Sequence[Total], *, examples: int, seed: int = 0, resamples: int = 1000
) -> Score:
    """The score of `totals` (one per dialogue) with its 95 % interval; `n` is `examples`.

    hits and f1: the mean per example. ppl: exp of the mean loss per scored word, infinite if one
    loss is. Resamples without any weight (ppl: no scored word) are left out; a single dialogue
    gives an interval without width. `UsageError` where nothing has weight.
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


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Estimate:
    """The mean of `values` and its 95 % interval, `clusters[i]` being who gave `values[i]`.

    The cluster percentile bootstrap (Davison and Hinkley 1997, section 3.8): raters are drawn with
    replacement, as many as there are, each with all their ratings; the mean of a resample is its
    sum of ratings over its number of ratings. Fewer than two clusters tell nothing of how raters
    differ: no interval. `ValueError` without values.
    """
    if not values:
        raise ValueError("the mean of no values is not defined")
    places: dict[Hashable, int] = {}
    rows = np.array([places.setdefault(name, len(places)) for name in clusters])
    given = np.array(values, dtype=np.float64)
    if len(rows) != len(given):
        raise ValueError(f"{len(rows)} clusters named for {len(given)} values")
    low, high = None, None
    if len(places) > 1:
        sums = np.bincount(rows, weights=given).astype(np.float64)
        sizes = np.bincount(rows).astype(np.float64)
        low, high = _bounds(np.sort(_resampled(sums, sizes, seed=seed, resamples=resamples)))
    mean = math.fsum(given) / len(given)
    return Estimate(value=mean, low=low, high=high, n=len(given), clusters=len(places))


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share, `successes` of `n` (Wilson 1927, JASA 22, 209-212).

    (p + z²/2n ± z sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n) with p = successes/n and z = 1.96: it
    stays within 0 to 1 and has a width at both ends. `ValueError` for n = 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is not a share")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, square = successes / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


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
