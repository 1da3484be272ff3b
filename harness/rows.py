"""What an agent answers on the ppl track, checked, whether its rows are dense or sparse.

Dense rows are one float32 array. Sparse rows are changes to a base row, which the agent declared
before the first question, so that they are just as fixed before a word is revealed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.agent import check_probabilities
from harness.text import Vocabulary


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Rows of weights as changes to the base row that the agent declared.

    `starts`: int64 `[rows + 1]`, row i's changes are `starts[i]:starts[i + 1]`. `columns`: int32
    `[changes]`, rising within a row. `weights`: float32 `[changes]`, what stands there instead.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Rows whose values are finite, >= 0 and of positive sum; `sums` is float64 `[rows]`."""

    rows: NDArray[np.float32]
    sums: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The weights at these places, float64."""
        return np.asarray(self.rows[rows, columns], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Base:
    """A declared base row, checked: float32 `[words]` and its float64 sum."""

    weights: NDArray[np.float32]
    total: float


def declared_base(agent: object, vocabulary: Vocabulary) -> Base | None:
    """The base row that the agent declares (`base_row(vocabulary)`), or None if it has none."""
    del agent, vocabulary
    return None


def check_rows(
    answer: object, *, count: int, vocabulary_size: int, base: Base | None
) -> CheckedRows:
    """The answer of `next_word_probabilities`, checked, or `invalid_prediction`."""
    del base
    rows = np.ascontiguousarray(answer) if isinstance(answer, np.ndarray) else answer
    sums = check_probabilities(rows, count=count, vocabulary_size=vocabulary_size)
    assert isinstance(rows, np.ndarray)
    return CheckedRows(rows, sums)
