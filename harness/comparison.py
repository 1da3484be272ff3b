"""Whether two runs over one set differ by more than chance: paired tests over dialogues.

Both agents answered the same dialogues, so dialogues are compared one by one: the interval of a
difference draws whole dialogues for both agents together (paired percentile bootstrap, Efron and
Tibshirani 1993, chapter 13), and its p swaps the two agents' results of whole dialogues at random
(paired approximate randomisation, Noreen 1989; Edgington 1969 for counting the set as seen among
the shuffled ones). Where all swaps are no more than `resamples`, each is tried once and p is exact.
Many pairs are adjusted by Holm 1979. One seed, one answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.metrics.catalogue import CATALOGUE, Metric
from harness.pairing import SideBySide, comparable, named, side_by_side, total_score
from harness.report import Report
from harness.resampling import RESAMPLES, every_swap, random_swaps, resampled_sums, swapped_sums
from harness.statistics import bounds

__all__ = [
    "Comparison",
    "Difference",
    "Pair",
    "RankRange",
    "comparable",
    "compare",
    "compare_all",
    "compare_each",
    "holm",
    "rank_ranges",
]

ALPHA = 0.05

_TOLERANCE = 1e-10
"""How far below the difference as seen a shuffled one still counts as it: sums are rounded."""

_MOST_COLUMNS = 256
"""Columns that are resampled together, which bounds memory."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The score `first` less the score `second` on one metric, with a 95 % interval and p.

    Where `scale` is `log` (ppl), `value`, `low` and `high` are differences of logarithms, `unit`
    is nats, and `ratio` says how many times greater the first score is. `p` is two-sided: how
    often so great a difference would come about if it did not matter which agent gave which
    dialogue's results. Two infinite scores do not differ; one makes the difference infinite.
    `n` counts examples, `dialogues` what was drawn and swapped. `higher_is_better` is the
    metric's: a positive value favours the first where it is True, the second where it is False.
    """

    metric: str
    value: float
    low: float
    high: float
    p: float
    n: int
    dialogues: int
    unit: str
    higher_is_better: bool | None
    first: float
    second: float
    scale: Literal["linear", "log"] = "linear"

    @property
    def ratio(self) -> float | None:
        """first / second on a log scale, else None; 0.9 says that the first is 10 % less."""
        return float(np.exp(self.value)) if self.scale == "log" else None

    @property
    def better(self) -> Literal["first", "second"] | None:
        """Which score is better; None if they are equal or neither direction is."""
        if self.value == 0 or self.higher_is_better is None:
            return None
        return "first" if (self.value > 0) == self.higher_is_better else "second"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of several reports, by their places from 0; `adjusted` is Holm's p over all pairs."""

    first: int
    second: int
    difference: Difference
    adjusted: float


@dataclass(frozen=True, slots=True)
class RankRange:
    """The best and the worst rank, from 1, that a system may have."""

    best: int
    worst: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several reports on one metric: their scores, every pair, the ranks that they may have.

    `values` and `ranks` are in the order of the reports, `pairs` in the order (0, 1), (0, 2), ...
    """

    metric: str
    unit: str
    higher_is_better: bool | None
    dialogues: int
    values: tuple[float, ...]
    pairs: tuple[Pair, ...]
    ranks: tuple[RankRange, ...]


def compare(
    a: Report, b: Report, *, metric: str | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """How much better or worse `a` scored than `b`: the score of `a` less that of `b`.

    `metric` names the main score (None) or a further measure with totals in both. The reports
    must be over the same set by the same rule (signatures equal but for `seed` and `harness`, as
    many dialogues); else a `UsageError` says in which field they differ.
    """
    name = named(metric, (a, b))
    return _differences([side_by_side(name, a, b)], seed=seed, resamples=resamples)[0]


def compare_each(
    a: Report, b: Report, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[Difference, ...]:
    """`compare` on every metric that the two share, the main score first; p is not adjusted."""
    pairs = [side_by_side(name, a, b) for name in comparable((a, b))]
    return tuple(_differences(pairs, seed=seed, resamples=resamples))


def compare_all(
    reports: Sequence[Report],
    *,
    metric: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    alpha: float = ALPHA,
) -> Comparison:
    """Every pair of two or more reports on one metric, adjusted by Holm, and the rank ranges."""
    if len(reports) < 2:
        raise UsageError("a comparison needs at least two reports")
    name = named(metric, reports)
    places = list(combinations(range(len(reports)), 2))
    pairs = [side_by_side(name, reports[i], reports[j]) for i, j in places]
    differences = _differences(pairs, seed=seed, resamples=resamples)
    adjusted = holm([difference.p for difference in differences])
    values = [differences[0].first, *(found.second for found in differences[: len(reports) - 1])]
    first = differences[0]
    ranks = rank_ranges(
        values,
        dict(zip(places, adjusted, strict=True)),
        higher_is_better=first.higher_is_better is not False,
        alpha=alpha,
    )
    return Comparison(
        metric=name,
        unit=CATALOGUE[name].unit,
        higher_is_better=first.higher_is_better,
        dialogues=first.dialogues,
        values=tuple(values),
        pairs=tuple(
            Pair(i, j, difference, p)
            for (i, j), difference, p in zip(places, differences, adjusted, strict=True)
        ),
        ranks=ranks,
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Each p adjusted for there being many, in the order given (Holm 1979, Scand. J. Stat. 6).

    The i-th smallest of m is multiplied by m - i + 1; no adjusted p is below that of a smaller
    one, nor above 1. Rejecting those below alpha keeps the chance of any false one below alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return adjusted


def rank_ranges(
    values: Sequence[float],
    adjusted: Mapping[tuple[int, int], float],
    *,
    higher_is_better: bool = True,
    alpha: float = ALPHA,
) -> tuple[RankRange, ...]:
    """The ranks that each system may have, by its score and the adjusted p of every pair.

    A system is better than another for certain where its score is better and their adjusted p is
    below `alpha`. Best rank = 1 + systems that are better for certain; worst rank = systems less
    those that are worse for certain. `adjusted` holds each pair (i, j), i < j, once.

    >>> rank_ranges([0.9, 0.5, 0.4], {(0, 1): 0.01, (0, 2): 0.01, (1, 2): 0.2})
    (RankRange(best=1, worst=1), RankRange(best=2, worst=3), RankRange(best=2, worst=3))
    """
    best = [1] * len(values)
    worst = [len(values)] * len(values)
    for (i, j), p in adjusted.items():
        if not p < alpha or values[i] == values[j]:
            continue
        upper, lower = (i, j) if (values[i] > values[j]) == higher_is_better else (j, i)
        worst[upper] -= 1
        best[lower] += 1
    return tuple(RankRange(b, w) for b, w in zip(best, worst, strict=True))


def _differences(pairs: Sequence[SideBySide], *, seed: int, resamples: int) -> list[Difference]:
    """The pairs' differences from the same draws and swaps; all are over the same dialogues."""
    return [
        difference
        for group in _groups(pairs)
        for difference in _group_differences(group, seed=seed, resamples=resamples)
    ]


def _groups(pairs: Sequence[SideBySide]) -> Iterator[list[SideBySide]]:
    size = max(1, _MOST_COLUMNS // max(len(pair.metric.columns) for pair in pairs))
    for start in range(0, len(pairs), size):
        yield list(pairs[start : start + size])


def _group_differences(
    pairs: list[SideBySide], *, seed: int, resamples: int
) -> Iterator[Difference]:
    first = np.concatenate([pair.first for pair in pairs], axis=1)
    second = np.concatenate([pair.second for pair in pairs], axis=1)
    width = first.shape[1]
    drawn = resampled_sums(np.hstack([first, second]), seed=seed, resamples=resamples)
    flips = random_swaps(len(first), seed=seed, resamples=resamples)
    swapped = swapped_sums(first, second, swaps=flips)
    start = 0
    for pair in pairs:
        own = slice(start, start + pair.first.shape[1])
        start = own.stop
        resampled = _statistic(pair.metric, drawn[:, :width][:, own], drawn[:, width:][:, own])
        shuffled = _statistic(pair.metric, swapped[0][:, own], swapped[1][:, own])
        yield _difference(pair, resampled=resampled, shuffled=shuffled)


def _difference(
    pair: SideBySide, *, resampled: NDArray[np.float64], shuffled: NDArray[np.float64]
) -> Difference:
    metric = pair.metric
    scores = [total_score(metric, totals) for totals in (pair.first, pair.second)]
    seen = float(_less(metric, np.array(scores[0]), np.array(scores[1])))
    low, high = bounds(np.sort(resampled[~np.isnan(resampled)]))
    return Difference(
        metric=metric.name,
        value=seen,
        low=low,
        high=high,
        p=_p(pair, seen, shuffled),
        n=pair.n,
        dialogues=len(pair.first),
        unit="nats" if metric.scale == "log" else metric.unit,
        higher_is_better=metric.higher_is_better,
        first=scores[0],
        second=scores[1],
        scale=metric.scale,
    )


def _p(pair: SideBySide, seen: float, shuffled: NDArray[np.float64]) -> float:
    """Exact where the dialogues that differ have no more swaps than were drawn at random."""
    differ = np.flatnonzero((pair.first != pair.second).any(axis=1))
    exact = 2 ** len(differ) <= len(shuffled) if len(differ) < 64 else False
    if exact:
        swaps = every_swap(len(pair.first), of=differ)
        shuffled = _statistic(pair.metric, *swapped_sums(pair.first, pair.second, swaps=swaps))
    least = abs(seen) * (1 - _TOLERANCE) - _TOLERANCE
    as_great = np.count_nonzero(np.abs(shuffled) >= least)
    return float(as_great / len(shuffled) if exact else (as_great + 1) / (len(shuffled) + 1))


def _statistic(
    metric: Metric, first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The difference of the scores of sums, `[..., S]` twice -> `[...]`."""
    assert metric.score is not None
    return _less(metric, metric.score(first), metric.score(second))


def _less(
    metric: Metric, first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """first - second on the metric's scale; equal infinities do not differ."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.scale == "log":
            first, second = np.log(first), np.log(second)
        return np.where(first == second, 0.0, first - second)
