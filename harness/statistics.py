"""Scores, means and shares with their 95 % intervals.

Turns of one dialogue are not independent, nor are ratings of one rater, so whole dialogues and
whole raters are resampled: a percentile bootstrap of the ratio sum(value) / sum(weight), with as
many drawn as there are. One seed, one interval. An interval from few is too narrow.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.errors import UsageError
from harness.metrics import mean
from harness.metrics.catalogue import MAIN, Metric
from harness.report import Measure, Score, Total
from harness.resampling import RESAMPLES, resampled_sums

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of `n` values from `clusters` clusters; without bounds where there is but one."""

    value: float
    low: float | None
    high: float | None
    n: int
    clusters: int


class Rows(NamedTuple):
    """What each dialogue adds to a metric: `totals`, float64 `[dialogues, S]`."""

    metric: Metric
    totals: NDArray[np.float64]


def score(
    track: Track,
    totals: Sequence[Total],
    *,
    examples: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Score:
    """The score of `totals` (one per dialogue) with its 95 % interval; `n` is `examples`.

    hits and f1: the mean per example. ppl: exp of the mean loss per scored word, infinite if one
    loss is. Resamples without any weight (ppl: no scored word) are left out; a single dialogue
    gives an interval without width. `UsageError` where nothing has weight.
    """
    table = np.array([(total.value, total.weight) for total in totals], dtype=np.float64)
    rows = Rows(MAIN[track], table.reshape(-1, 2))
    found = estimates([rows], n=examples, seed=seed, resamples=resamples)
    if not found:
        missing = "word of the dictionary" if track == "ppl" else "example"
        raise UsageError(f"there is no {missing} to score; check the data set")
    measure = found[0]
    assert measure.low is not None
    assert measure.high is not None
    return Score(value=measure.value, low=measure.low, high=measure.high, n=examples)


def estimate(
    metric: Metric,
    totals: NDArray[np.float64],
    *,
    n: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Measure | None:
    """The metric of `totals`, float64 `[dialogues, S]`, with its 95 % interval.

    None where nothing has weight. `n` is the number of examples. The interval is that which
    `estimates` draws with the same seed.
    """
    found = estimates([Rows(metric, totals)], n=n, seed=seed, resamples=resamples)
    return found[0] if found else None


def estimates(
    rows: Sequence[Rows], *, n: int, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[Measure, ...]:
    """The metrics of one run, their intervals from the same draws of dialogues.

    All `rows` are of the same dialogues. A metric without weight anywhere is left out.
    """
    if not rows or len(rows[0].totals) == 0:
        return ()
    table = np.concatenate([totals for _, totals in rows], axis=1)
    sums = resampled_sums(table, seed=seed, resamples=resamples)
    starts = np.cumsum([0, *(totals.shape[1] for _, totals in rows)]).tolist()
    found = [
        _measure(metric, totals, sums[:, start : start + totals.shape[1]], n=n)
        for (metric, totals), start in zip(rows, starts, strict=False)
    ]
    return tuple(measure for measure in found if measure is not None)


def _measure(
    metric: Metric, totals: NDArray[np.float64], sums: NDArray[np.float64], *, n: int
) -> Measure | None:
    assert metric.score is not None
    value = float(metric.score(np.array([math.fsum(column) for column in totals.T])))
    if math.isnan(value):
        return None
    scores = metric.score(sums)
    scores = np.sort(scores[~np.isnan(scores)])
    low, high = bounds(scores) if len(scores) else (value, value)
    return Measure(
        name=metric.name,
        value=value,
        low=low,
        high=high,
        n=n,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        totals=tuple(map(tuple, totals.tolist())),
    )


def clustered_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
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
        table = np.stack([np.bincount(rows, weights=given), np.bincount(rows)], axis=1)
        sums = resampled_sums(table.astype(np.float64), seed=seed, resamples=resamples)
        low, high = bounds(np.sort(mean.score(sums)))
    value = math.fsum(given) / len(given)
    return Estimate(value=value, low=low, high=high, n=len(given), clusters=len(places))


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


def bounds(ordered: NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5 % and the 97.5 % percentile of sorted values, `[n]` with n > 0.

    Both are values themselves: infinity cannot be interpolated.
    """
    cut = int(len(ordered) * (1 - CONFIDENCE) / 2)
    return float(ordered[cut]), float(ordered[-1 - cut])
