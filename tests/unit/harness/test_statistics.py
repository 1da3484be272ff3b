"""Scores and intervals over dialogues."""

import math
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.report import Total
from harness.statistics import score


def fractions(seed: int, *, count: int) -> list[Total]:
    rng = np.random.default_rng(seed)
    weights = rng.integers(5, 20, size=count)
    rates = rng.beta(2, 2, size=count)
    return [
        Total(float(v), float(w))
        for v, w in zip(rng.binomial(weights, rates), weights, strict=True)
    ]


def test_a_score_is_the_sum_of_values_over_the_sum_of_weights() -> None:
    totals = [Total(3, 4), Total(0, 8), Total(1, 4)]

    result = score("hits", totals, examples=16)

    assert (result.value, result.n) == (0.25, 16)
    assert 0.0 <= result.low <= 0.25 <= result.high <= 0.75


def test_perplexity_is_the_exponential_of_the_loss_per_word() -> None:
    totals = [Total(2 * math.log(8), 2), Total(2 * math.log(2), 2)]

    result = score("ppl", totals, examples=3)

    assert result.value == pytest.approx(4.0)
    assert (result.low, result.high) == pytest.approx((2.0, 8.0))


def test_the_same_seed_gives_the_same_interval_and_the_order_no_other_value() -> None:
    totals = fractions(1, count=80)

    first = score("f1", totals, examples=900, seed=3)

    assert score("f1", totals, examples=900, seed=3) == first
    assert score("f1", totals[::-1], examples=900, seed=3).value == first.value
    assert score("f1", totals, examples=900, seed=4).low != first.low


def test_one_infinite_loss_makes_the_score_infinite_and_most_of_the_interval() -> None:
    totals = [Total(math.inf, 3), *[Total(3.0, 3)] * 30]

    result = score("ppl", totals, examples=31)

    assert (result.value, result.high) == (math.inf, math.inf)
    assert result.low == pytest.approx(math.e)


def test_a_loss_too_great_for_a_float_is_infinite() -> None:
    assert score("ppl", [Total(4000.0, 2)], examples=1).value == math.inf


def test_dialogues_without_a_scored_word_weigh_nothing() -> None:
    totals = [Total(0.0, 0), Total(math.log(5), 1), Total(0.0, 0)]

    result = score("ppl", totals, examples=3)

    assert (result.value, result.low, result.high) == pytest.approx((5.0, 5.0, 5.0))


@pytest.mark.parametrize("totals", [[], [Total(0.0, 0)]])
def test_nothing_to_score_is_an_error(totals: list[Total]) -> None:
    with pytest.raises(UsageError, match="no word of the dictionary to score"):
        score("ppl", totals, examples=0)
    with pytest.raises(UsageError, match="no example to score"):
        score("hits", totals, examples=0)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """300 sets of 60 dialogues with a true mean of 0.5: 95 % less a little for the small sets."""
    held = 0
    for seed in range(300):
        result = score("hits", fractions(seed, count=60), examples=1, seed=seed, resamples=400)
        held += result.low <= 0.5 <= result.high

    assert 0.90 <= held / 300 <= 0.98


def test_dialogues_are_resampled_not_examples() -> None:
    """Turns of a dialogue that always agree are worth one: the interval is that of 40, not 400."""
    totals = [Total(10.0 * (place % 2), 10) for place in range(40)]

    result = score("hits", totals, examples=400)

    assert result.high - result.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(40), rel=0.15)


def test_ten_thousand_dialogues_are_resampled_in_bounded_time() -> None:
    start = perf_counter()

    score("hits", fractions(0, count=10_000), examples=120_000)

    assert perf_counter() - start < 5


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(1, 30)).map(lambda p: Total(p[0] * p[1], p[1])),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 5),
)
def test_an_interval_is_ordered_and_stays_within_the_dialogues(
    totals: list[Total], seed: int
) -> None:
    result = score("f1", totals, examples=1, seed=seed, resamples=50)
    ratios = [total.value / total.weight for total in totals]

    assert min(ratios) - 1e-9 <= result.low <= result.high <= max(ratios) + 1e-9
