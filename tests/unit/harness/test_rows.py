"""Rows of the ppl track: sparse ones are worth what the dense ones that they stand for are."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.errors import SubmissionError
from harness.rows import Base, CheckedRows, SparseRows, check_rows, declared_base, pays, spread
from harness.text import Vocabulary

WORDS = 40
WEIGHT = st.one_of(
    st.floats(0, 2.0**100, width=32),
    st.sampled_from([0.0, 1.0, 1e-45, 1e-30, 1e-10, 1e10, 3e38]),
)
VOCABULARY = Vocabulary.from_counts({"tea": 2, "milk": 1})


def base_of(weights: list[float]) -> Base:
    row = np.array(weights, np.float32)
    return Base(row, math.fsum(row.tolist()))


def sparse(rows: list[dict[int, float]]) -> SparseRows:
    """Rows given as column -> weight."""
    changes = [(column, row[column]) for row in rows for column in sorted(row)]
    return SparseRows(
        starts=np.cumsum([0, *map(len, rows)], dtype=np.int64),
        columns=np.array([column for column, _ in changes], np.int32),
        weights=np.array([weight for _, weight in changes], np.float32),
    )


def check(answer: Any, *, count: int, base: Base | None, words: int = WORDS) -> CheckedRows:
    return check_rows(answer, count=count, vocabulary_size=words, base=base)


def dense_of(answer: SparseRows, base: Base) -> NDArray[np.float32]:
    """Row by row and by hand: what `spread` is held to as well."""
    rows = np.stack([base.weights] * (len(answer.starts) - 1))
    for row, (start, end) in zip(rows, pairwise(answer.starts.tolist()), strict=True):
        row[answer.columns[start:end]] = answer.weights[start:end]
    assert np.array_equal(spread(answer, base), rows)
    return rows


def all_places(count: int, words: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = np.divmod(np.arange(count * words), words)
    return rows, columns


ROWS = st.lists(st.dictionaries(st.integers(0, WORDS - 1), WEIGHT, max_size=12), min_size=1)
BASES = st.lists(WEIGHT, min_size=WORDS, max_size=WORDS).filter(lambda row: sum(row) > 0)


@given(BASES, ROWS)
@example([3e38] + [1e-10] * (WORDS - 1), [{0: 0.0}])
@example([1e30] + [1.0] * (WORDS - 1), [{0: 0.0}, {0: 1e-30}, {}])
@example([1e-45] * WORDS, [{0: 0.0}, {5: 3e38}])
def test_sparse_rows_are_worth_the_dense_ones_they_stand_for(
    weights: list[float], rows: list[dict[int, float]]
) -> None:
    base, answer = base_of(weights), sparse(rows)
    dense = dense_of(answer, base)
    exact = [math.fsum(row) for row in dense.tolist()]
    if min(exact) == 0:
        with pytest.raises(SubmissionError) as caught:
            check(answer, count=len(rows), base=base)
        assert caught.value.detail == "zero_row"
        return
    checked = check(answer, count=len(rows), base=base)
    for found, wanted in zip(checked.sums.tolist(), exact, strict=True):
        assert abs(found - wanted) <= 1e-9 * wanted  # nobody's words get cheaper by rounding
    places = all_places(len(rows), WORDS)
    assert np.array_equal(checked.at(*places), dense.ravel().astype(np.float64))
    assert checked.at(*places).dtype == np.float64


@pytest.mark.parametrize("huge", [1e10, 1e20, 1e30, 3e38])
@pytest.mark.parametrize("small", [1.0, 1e-3, 1e-30])
def test_one_huge_weight_replaced_by_zero_leaves_the_whole_rest(huge: float, small: float) -> None:
    """What is left is far below the rounding of the base's sum; a cheat would have it zero."""
    words = 20_000
    base = base_of([huge] + [small] * (words - 1))
    checked = check(sparse([{0: 0.0}, {0: small}]), count=2, base=base, words=words)
    rest = float(np.float32(small))
    assert checked.sums.tolist() == pytest.approx([rest * (words - 1), rest * words], rel=1e-9)


def test_many_huge_weights_replaced_one_row_after_the_other() -> None:
    words = 5_000
    rng = np.random.default_rng(0)
    base = base_of((10.0 ** rng.uniform(-30, 30, words)).tolist())
    order = np.argsort(-base.weights)
    rows = [{int(column): 0.0 for column in order[:count]} for count in range(0, 2_000, 37)]
    dense = dense_of(sparse(rows), base)
    checked = check(sparse(rows), count=len(rows), base=base, words=words)
    exact = [math.fsum(row) for row in dense.tolist()]
    assert checked.sums.tolist() == pytest.approx(exact, rel=1e-9)


def test_rows_without_changes_are_the_base() -> None:
    base = base_of([1.0, 2.0] * 20)
    checked = check(sparse([{}, {}, {}]), count=3, base=base)
    assert checked.sums.tolist() == [60.0] * 3
    assert checked.at(np.array([2, 0]), np.array([1, 0])).tolist() == [2.0, 1.0]


def test_rows_that_change_nearly_everything_are_checked_as_dense_ones() -> None:
    base = base_of([1.0] * WORDS)
    answer = sparse([dict.fromkeys(range(WORDS), 2.0)])
    assert not pays(rows=1, changes=WORDS, vocabulary_size=WORDS)
    checked = check(answer, count=1, base=base)
    dense = check(dense_of(answer, base), count=1, base=None)
    assert checked.sums.tobytes() == dense.sums.tobytes()
    assert check(sparse([]), count=0, base=base).sums.shape == (0,)


GOOD = sparse([{1: 1.0, 3: 2.0}, {2: 0.5}])


def bad(**parts: Any) -> SparseRows:
    """GOOD with some part replaced."""
    whole = {"starts": GOOD.starts, "columns": GOOD.columns, "weights": GOOD.weights}
    return SparseRows(**(whole | parts))


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (bad(starts=np.array([0, 2], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, 2, 3], np.int32)), "wrong_count"),
        (bad(starts=np.array([0.0, 2, 3])), "wrong_count"),
        (bad(starts=np.array([1, 2, 3], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, 2, 2], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, 4, 3], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, -1, 3], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, 2**62, 3], np.int64)), "wrong_count"),
        (bad(starts=np.array([0, -(2**63), 3], np.int64)), "wrong_count"),
        (bad(starts=[0, 2, 3]), "wrong_count"),
        (bad(columns=np.array([3, 1, 2], np.int32)), "wrong_count"),
        (bad(columns=np.array([1, 1, 2], np.int32)), "wrong_count"),
        (bad(columns=np.array([1, WORDS, 2], np.int32)), "wrong_count"),
        (bad(columns=np.array([-1, 3, 2], np.int32)), "wrong_count"),
        (bad(columns=np.array([1, 3], np.int32)), "wrong_count"),
        (bad(columns=np.array([1, 3, 2], np.int64)), "wrong_count"),
        (bad(columns=np.array([[1], [3], [2]], np.int32)), "wrong_count"),
        (bad(columns=[1, 3, 2]), "wrong_count"),
        (bad(weights=np.array([1, 2], np.float32)), "wrong_count"),
        (bad(weights=np.array([1, 2, 3], np.float64)), "wrong_count"),
        (bad(weights=None), "wrong_count"),
        (bad(weights=np.array([1, np.nan, 3], np.float32)), "not_finite"),
        (bad(weights=np.array([1, np.inf, 3], np.float32)), "not_finite"),
        (bad(weights=np.array([1, -np.inf, 3], np.float32)), "not_finite"),
        (bad(weights=np.array([1, -1e-45, 3], np.float32)), "negative"),
        ([[1.0] * WORDS] * 2, "wrong_count"),
        (None, "wrong_count"),
    ],
)
def test_sparse_rows_that_are_none(answer: Any, detail: str) -> None:
    base = base_of([1.0] * WORDS)
    assert check(GOOD, count=2, base=base).sums.tolist() == [41.0, 39.5]
    with pytest.raises(SubmissionError) as caught:
        check(answer, count=2, base=base)
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)


def test_a_column_may_stand_in_the_next_row_again() -> None:
    base = base_of([1.0] * WORDS)
    answer = sparse([{WORDS - 1: 3.0}, {0: 2.0, WORDS - 1: 2.0}])
    assert check(answer, count=2, base=base).sums.tolist() == [42.0, 42.0]


def test_everything_replaced_by_zero_is_a_zero_row() -> None:
    base = base_of([5.0] + [0.0] * (WORDS - 1))
    with pytest.raises(SubmissionError) as caught:
        check(sparse([{}, {0: 0.0}]), count=2, base=base)
    assert caught.value.detail == "zero_row"


def test_sparse_rows_need_a_base() -> None:
    with pytest.raises(SubmissionError) as caught:
        check(GOOD, count=2, base=None)
    assert caught.value.detail == "wrong_count"


def test_dense_rows_stay_what_they_were() -> None:
    rows = np.asfortranarray(np.arange(1, 81, dtype=np.float32).reshape(2, 40))
    checked = check(rows, count=2, base=base_of([1.0] * WORDS))
    assert checked.sums.tolist() == [820.0, 2420.0]
    assert checked.at(np.array([1]), np.array([3])).tolist() == [44.0]


class Declares:
    """An agent whose base row is this."""

    def __init__(self, row: object):
        self.row = row

    def base_row(self, vocabulary: Vocabulary) -> object:
        assert vocabulary is VOCABULARY
        return self.row


def test_a_declared_base_is_a_copy() -> None:
    row = np.array([0, 0, 0, 1, 2, 3], np.float32)
    base = declared_base(Declares(row), VOCABULARY)
    assert base is not None
    row[5] = 100
    assert base.weights.tolist() == [0, 0, 0, 1, 2, 3]
    assert base.total == 6.0


@pytest.mark.parametrize("agent", [object(), Declares(None)])
def test_an_agent_may_declare_none(agent: object) -> None:
    assert declared_base(agent, VOCABULARY) is None


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (np.ones(5, np.float32), "wrong_count"),
        (np.ones((1, 6), np.float32), "wrong_count"),
        (np.ones(6, np.float64), "wrong_count"),
        ([1.0] * 6, "wrong_count"),
        (np.array([1, 1, 1, 1, 1, np.nan], np.float32), "not_finite"),
        (np.array([1, 1, 1, 1, 1, np.inf], np.float32), "not_finite"),
        (np.array([1, 1, 1, 1, 1, -1], np.float32), "negative"),
        (np.zeros(6, np.float32), "zero_row"),
    ],
)
def test_a_base_row_that_is_none(row: object, detail: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        declared_base(Declares(row), VOCABULARY)
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)
