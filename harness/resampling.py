"""Sums over dialogues drawn or exchanged at random, for many metrics at a time.

What the intervals of `harness.statistics` and the tests of `harness.comparison` stand on. Draws
hang on a seed, the number of dialogues and the number of resamples, and on nothing else, so all
metrics of a run, and all runs over a set, see the same draws. A sum over a resample is a product of
matrices, how often each dialogue is drawn times what it adds.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
"""How many resamples an interval or a test is made from, where nothing else is asked."""

_BLOCK = 2_000_000
"""Draws held in memory at a time."""

Swaps = Iterator[NDArray[np.float64]]
"""Blocks of rows of 0 and 1."""


def resampled_sums(
    totals: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """The column sums of each resample of the rows, `[rows, S] -> [resamples, S]`.

    A resample draws as many rows as there are, with replacement. One seed, one number of rows and
    one number of resamples give the same draws, whatever the columns hold. Infinities stay where
    they are drawn. Memory is bounded by `_BLOCK`.
    """
    width = totals.shape[1]
    table = _countable(totals)
    sums = [counts @ table for counts in _draws(len(totals), seed=seed, resamples=resamples)]
    return _uncounted(np.concatenate(sums), width=width)


def swapped_sums(
    first: NDArray[np.float64], second: NDArray[np.float64], *, swaps: Swaps
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The column sums of two tables with some rows exchanged, `[swaps, S]` twice.

    `first` and `second` are `[rows, S]`; each block of `swaps` is `[<= block, rows]` of 0 and 1,
    a 1 exchanging that row.
    """
    width = first.shape[1]
    both = _countable(np.concatenate([first, second]))
    one, other = both[: len(first)], both[len(first) :]
    moved = np.concatenate([block @ (other - one) for block in swaps])
    return (
        _uncounted(one.sum(axis=0) + moved, width=width),
        _uncounted(other.sum(axis=0) - moved, width=width),
    )


def random_swaps(count: int, *, seed: int = 0, resamples: int = RESAMPLES) -> Swaps:
    """`resamples` rows of `count` coin tosses, a block at a time; one seed, one series."""
    rng = np.random.default_rng([seed, 1])
    block = max(1, _BLOCK // count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        octets = rng.integers(256, size=(rows, -(-count // 8)), dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=count).astype(np.float64)


def every_swap(count: int, *, of: NDArray[np.intp]) -> Swaps:
    """Each way to exchange some of the rows `of`, once, none included; a block at a time."""
    block = max(1, _BLOCK // count)
    for start in range(0, 2 ** len(of), block):
        numbers = np.arange(start, min(start + block, 2 ** len(of)))
        swaps = np.zeros((len(numbers), count))
        swaps[:, of] = numbers[:, None] >> np.arange(len(of)) & 1
        yield swaps


def _countable(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The finite values, then one column of 0 and 1 each for where they are infinite.

    Zero times infinity, or infinity less infinity, would be NaN.
    """
    infinite = np.isinf(totals)
    return np.concatenate([np.where(infinite, 0.0, totals), infinite], axis=1)


def _uncounted(sums: NDArray[np.float64], *, width: int) -> NDArray[np.float64]:
    """The sums of `_countable` columns, infinite where an infinity was counted."""
    # Counts of whole rows are exact, so half separates one from none.
    return np.where(sums[:, width:] > 0.5, np.inf, sums[:, :width])


def _draws(count: int, *, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """How often each of `count` rows is drawn, `[<= block, count]` at a time."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        places = rng.integers(count, size=(rows, count), dtype=np.uint32).astype(np.int64)
        places += np.arange(rows)[:, None] * count
        counts = np.bincount(places.ravel(), minlength=rows * count)
        yield counts.reshape(rows, count).astype(np.float64)
