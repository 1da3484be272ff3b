"""What an agent answers on the ppl track, checked, whether its rows are dense or sparse.

Dense rows are one float32 array. Sparse rows are changes to a base row, which the agent declared
before the first question, so that they are just as fixed before a word is revealed. Both ends of
the protocol check with this module, and an agent in this process takes the same path.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.agent import check_probabilities, invalid
from harness.text import Vocabulary

START_BYTES = 8
"""What one start of `SparseRows` takes on the wire: an int64."""

CHANGE_BYTES = 8
"""What one change takes on the wire: an int32 column and a float32 weight."""

TOLERANCE = 1e-10
"""The largest relative error that a sparse row's sum may have; see `_sums`."""

_ROUNDING = 2.0**-53


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Rows of weights as changes to the base row that the agent declared.

    `starts`: int64 `[rows + 1]`, row i's changes are `starts[i]:starts[i + 1]`. `columns`: int32
    `[changes]`, rising within a row. `weights`: float32 `[changes]`, what stands there instead.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    weights: NDArray[np.float32]


class CheckedRows(Protocol):
    """Rows whose values are finite, >= 0 and of positive sum."""

    @property
    def sums(self) -> NDArray[np.float64]:
        """The sum of each row, float64 `[rows]`."""

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The weights at these places, float64."""


@dataclass(frozen=True, slots=True)
class Base:
    """A declared base row, checked: float32 `[words]` and its float64 sum."""

    weights: NDArray[np.float32]
    total: float


def declared_base(agent: object, vocabulary: Vocabulary) -> Base | None:
    """The base row that the agent declares (`base_row(vocabulary)`), or None if it has none.

    Ask once, before the first question. The row is float32 `[len(vocabulary)]`, finite, >= 0 and
    of positive sum, else `invalid_prediction`; it is copied, so it stays what it was. None from
    `base_row` declares nothing, like an agent without the method.
    """
    declare = getattr(agent, "base_row", None)
    if declare is None:
        return None
    row = declare(vocabulary)
    if row is None:
        return None
    if not isinstance(row, np.ndarray) or row.shape != (len(vocabulary),):
        raise invalid("wrong_count", f"base_row did not return float32 ({len(vocabulary)},)")
    weights = np.array(row, order="C")
    check_probabilities(weights[np.newaxis], count=1, vocabulary_size=len(vocabulary))
    return Base(weights, math.fsum(weights.tolist()))


def check_rows(
    answer: object, *, count: int, vocabulary_size: int, base: Base | None
) -> CheckedRows:
    """The answer of `next_word_probabilities`, checked, or `invalid_prediction`.

    Details: `wrong_count` (type, shape, or changes that are not in order or out of range; sparse
    rows without a base), `not_finite`, `negative`, `zero_row`.
    """
    if isinstance(answer, SparseRows):
        if base is None:
            raise invalid("wrong_count", "sparse rows of an agent that declared no base_row")
        check_changes(answer, count=count, vocabulary_size=vocabulary_size)
        if pays(rows=count, changes=len(answer.columns), vocabulary_size=vocabulary_size):
            return _changed(answer, base)
        answer = spread(answer, base)
    rows = np.ascontiguousarray(answer) if isinstance(answer, np.ndarray) else answer
    sums = check_probabilities(rows, count=count, vocabulary_size=vocabulary_size)
    assert isinstance(rows, np.ndarray)
    return _Dense(rows, sums)


def pays(*, rows: int, changes: int, vocabulary_size: int) -> bool:
    """Whether sparse rows are no larger than dense ones; else they are sent and summed as dense.

    Both ends and an agent in this process decide by this, so their sums agree to the last bit.
    """
    return sparse_bytes(rows=rows, changes=changes) <= 4 * rows * vocabulary_size


def sparse_bytes(*, rows: int, changes: int) -> int:
    """The exact size of sparse rows on the wire: starts, columns, weights."""
    return START_BYTES * (rows + 1) + CHANGE_BYTES * changes


def check_changes(answer: SparseRows, *, count: int, vocabulary_size: int) -> None:
    """`wrong_count` if the changes are not of the verb's form; the weights are not looked at."""
    starts, columns, weights = answer.starts, answer.columns, answer.weights
    changes = columns.size if isinstance(columns, np.ndarray) else 0
    _expect(starts, np.int64, size=count + 1, what="starts")
    _expect(columns, np.int32, size=changes, what="columns")
    _expect(weights, np.float32, size=changes, what="weights")
    if starts[0] != 0 or starts[-1] != changes or (starts[1:] < starts[:-1]).any():
        raise invalid("wrong_count", f"starts do not rise from 0 to {changes}")
    if not changes:
        return
    if columns.min() < 0 or columns.max() >= vocabulary_size:
        raise invalid("wrong_count", f"a column is not in 0..{vocabulary_size - 1}")
    rises = np.empty(changes + 1, dtype=np.bool_)
    np.greater(columns[1:], columns[:-1], out=rises[1:-1])
    rises[starts] = True  # the first change of a row comes after none
    if not rises.all():
        raise invalid("wrong_count", "columns do not rise within a row")


def places_of(answer: SparseRows, *, vocabulary_size: int) -> NDArray[np.int64]:
    """Each change's place in the dense rows laid end to end, int64 `[changes]`, rising; the
    answer has been through `check_changes`."""
    count = len(answer.starts) - 1
    firsts = np.arange(0, count * vocabulary_size, vocabulary_size, dtype=np.int64)
    places = np.repeat(firsts, answer.starts[1:] - answer.starts[:-1])
    places += answer.columns
    return np.asarray(places)


def spread(answer: SparseRows, base: Base) -> NDArray[np.float32]:
    """The dense rows that these checked changes stand for, float32 `[rows, words]`."""
    rows = np.tile(base.weights, (len(answer.starts) - 1, 1))
    places = places_of(answer, vocabulary_size=len(base.weights))
    rows.reshape(-1)[places] = answer.weights
    return rows


@dataclass(frozen=True, slots=True)
class _Dense:
    rows: NDArray[np.float32]
    sums: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.rows[rows, columns], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Changed:
    """`places` is row * words + column of each change, rising: found by bisection."""

    base: Base
    places: NDArray[np.int64]
    weights: NDArray[np.float32]
    sums: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        columns = np.asarray(columns, dtype=np.int64)
        found = self.base.weights[columns]
        if len(self.places):
            wanted = np.asarray(rows, dtype=np.int64) * len(self.base.weights) + columns
            near = np.minimum(np.searchsorted(self.places, wanted), len(self.places) - 1)
            found = np.where(self.places[near] == wanted, self.weights[near], found)
        return found.astype(np.float64)


def _changed(answer: SparseRows, base: Base) -> CheckedRows:
    if not np.isfinite(answer.weights).all():
        raise invalid("not_finite", "a change holds NaN or infinity")
    if len(answer.weights) and answer.weights.min() < 0:
        raise invalid("negative", "a change holds a negative weight")
    sums = _sums(answer, base)
    if not (sums > 0).all():
        raise invalid("zero_row", "a row sums to zero")
    places = places_of(answer, vocabulary_size=len(base.weights))
    return _Changed(base, places, answer.weights, sums)


def _sums(answer: SparseRows, base: Base) -> NDArray[np.float64]:
    """Each row's sum: what is left of the base's, plus what was put; relative error <= TOLERANCE.

    The base's sum is exact but for its last bit, and n terms are added with an error of at most
    n * 2^-53 of their sum, so what is left is wrong by at most (n + 4) * 2^-53 of the base's sum.
    Where that is not small beside what is left (one huge weight replaced by zero, say), an agent
    could make the sum too small: such a row is summed word by word.
    """
    starts = answer.starts
    changes = starts[1:] - starts[:-1]
    left = base.total - _row_sums(base.weights[answer.columns], starts, changes)
    sums = left + _row_sums(answer.weights, starts, changes)
    unsure = (changes + 4) * (_ROUNDING * base.total) > TOLERANCE * left
    for row in np.flatnonzero(unsure).tolist():
        part = slice(starts[row], starts[row + 1])
        whole = base.weights.copy()
        whole[answer.columns[part]] = answer.weights[part]
        sums[row] = whole.sum(dtype=np.float64)
    return np.asarray(sums)


def _row_sums(
    values: NDArray[np.float32], starts: NDArray[np.int64], changes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The float64 sum of each row's values; `reduceat` knows no empty rows."""
    sums = np.zeros(len(changes))
    some = changes > 0
    if some.all() and len(changes):
        return np.asarray(np.add.reduceat(values, starts[:-1], dtype=np.float64))
    if some.any():
        sums[some] = np.add.reduceat(values, starts[:-1][some], dtype=np.float64)
    return sums


def _expect(value: object, dtype: type, *, size: int, what: str) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != (size,):
        raise invalid("wrong_count", f"{what} of sparse rows are not {dtype.__name__} ({size},)")
