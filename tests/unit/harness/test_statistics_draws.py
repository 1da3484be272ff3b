"""Resampled and exchanged dialogues: the draws behind intervals and tests."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import resampling
from harness.metrics.catalogue import CATALOGUE
from harness.report import Total
from harness.resampling import every_swap, random_swaps, resampled_sums, swapped_sums
from harness.statistics import Rows, bounds, estimate, estimates, score

VALUES = st.one_of(st.integers(-50, 50).map(float), st.just(math.inf))


def table(seed: int, *, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 9, size=(rows, columns)).astype(float)


def test_a_resample_draws_as_many_rows_as_there_are() -> None:
    ones = np.concatenate([np.ones((30, 1)), np.eye(30)], axis=1)

    sums = resampled_sums(ones, resamples=4000)

    assert (sums[:, 0] == 30).all()
    assert (sums[:, 1:].sum(axis=1) == 30).all()
    assert sums[:, 1:].mean(axis=0) == pytest.approx(np.ones(30), abs=0.08)
    assert sums[:, 1:].var(axis=0) == pytest.approx(np.full(30, 29 / 30), abs=0.15)


def test_all_columns_see_the_same_draws_whatever_they_hold() -> None:
    one = table(0, rows=20, columns=2)

    alone = resampled_sums(one, seed=4, resamples=100)
    beside = resampled_sums(np.hstack([table(1, rows=20, columns=3), one]), seed=4, resamples=100)

    assert (beside[:, 3:] == alone).all()
    assert (resampled_sums(one, seed=5, resamples=100) != alone).any()


def test_blocks_change_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(0, rows=7, columns=2)
    whole = resampled_sums(rows, resamples=50)

    monkeypatch.setattr(resampling, "_BLOCK", 24)

    assert (resampled_sums(rows, resamples=50) == whole).all()


def test_an_infinity_is_in_the_sums_of_those_resamples_that_draw_it() -> None:
    rows = np.array([[math.inf, 1.0], [1.0, math.inf], [1.0, 1.0]])
    drawn = resampled_sums(np.eye(3), seed=2, resamples=200)

    sums = resampled_sums(rows, seed=2, resamples=200)

    assert (np.isinf(sums) == (drawn[:, :2] > 0)).all()
    assert (sums[:, 0][drawn[:, 0] == 0] == 3.0).all()
    assert not np.isnan(sums).any()


@given(st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=6))
def test_swaps_exchange_whole_rows(rows: list[tuple[float, float, float, float]]) -> None:
    both = np.array(rows)
    first, second = both[:, :2], both[:, 2:]
    everything = np.arange(len(rows))

    left, right = swapped_sums(first, second, swaps=every_swap(len(rows), of=everything))

    expected = []
    for swap in itertools.product([0, 1], repeat=len(rows)):
        own = [row[2:] if exchanged else row[:2] for row, exchanged in zip(rows, swap, strict=True)]
        other = [
            row[:2] if exchanged else row[2:] for row, exchanged in zip(rows, swap, strict=True)
        ]
        expected.append((*np.sum(own, axis=0), *np.sum(other, axis=0)))
    assert sorted(map(tuple, np.hstack([left, right]).tolist())) == sorted(expected)


def test_every_swap_is_tried_once_and_of_the_given_rows_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resampling, "_BLOCK", 15)

    blocks = list(every_swap(5, of=np.array([1, 4, 2])))

    assert [len(block) for block in blocks] == [3, 3, 2]
    swaps = np.concatenate(blocks)
    assert sorted(map(tuple, swaps[:, [1, 2, 4]])) == list(itertools.product([0, 1], repeat=3))
    assert not swaps[:, [0, 3]].any()
    assert not swaps[0].any()
    assert np.concatenate(list(every_swap(3, of=np.array([], dtype=int)))).tolist() == [[0, 0, 0]]


def test_random_swaps_are_fair_coins_that_repeat_by_their_seed() -> None:
    swaps = np.concatenate(list(random_swaps(37, seed=3, resamples=3000)))

    assert swaps.shape == (3000, 37)
    assert set(np.unique(swaps)) == {0.0, 1.0}
    assert swaps.mean(axis=0) == pytest.approx(np.full(37, 0.5), abs=0.05)
    assert np.corrcoef(swaps.T) == pytest.approx(np.eye(37), abs=0.1)
    assert (np.concatenate(list(random_swaps(37, seed=3, resamples=3000))) == swaps).all()
    assert (np.concatenate(list(random_swaps(37, seed=4, resamples=3000))) != swaps).any()


def test_random_swaps_come_in_bounded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "_BLOCK", 100)

    assert [len(block) for block in random_swaps(40, resamples=5)] == [2, 2, 1]
    assert [len(block) for block in random_swaps(400, resamples=2)] == [1, 1]


def test_bounds_cut_the_same_number_from_both_ends() -> None:
    assert bounds(np.arange(1000.0)) == (25.0, 974.0)
    assert bounds(np.arange(41.0)) == (1.0, 39.0)
    assert bounds(np.array([3.0])) == (3.0, 3.0)


def test_a_measure_with_the_score_s_totals_has_the_score_s_interval() -> None:
    rows = np.stack([table(0, rows=50, columns=1)[:, 0], np.full(50, 9.0)], axis=1)
    totals = [Total(value, weight) for value, weight in rows.tolist()]

    main = score("hits", totals, examples=450, seed=6)
    beside = estimates(
        [Rows(CATALOGUE["mrr"], rows * 0.5), Rows(CATALOGUE["hits@3"], rows)], n=450, seed=6
    )[1]

    assert (beside.value, beside.low, beside.high) == (main.value, main.low, main.high)
    assert (beside.name, beside.n, beside.unit) == ("hits@3", 450, "fraction")
    assert beside.totals == tuple((total.value, total.weight) for total in totals)
    assert estimate(CATALOGUE["hits@3"], rows, n=450, seed=6) == beside


def test_what_has_no_weight_has_no_estimate() -> None:
    weightless = Rows(CATALOGUE["recall"], np.zeros((4, 2)))
    weighty = Rows(CATALOGUE["precision"], np.ones((4, 2)))

    assert [found.name for found in estimates([weightless, weighty], n=4)] == ["precision"]
    assert estimate(*weightless, n=4) is None
    assert estimates([], n=0) == ()


def test_a_resample_without_weight_is_left_out_of_the_interval() -> None:
    rows = np.array([[1.0, 2.0], *[[0.0, 0.0]] * 9])

    found = estimate(CATALOGUE["hits@3"], rows, n=2)

    assert found is not None
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
