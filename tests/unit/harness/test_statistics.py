"""Scores over dialogues, means over raters, shares; each with its interval."""

import itertools
import json
import math
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.report import Total
from harness.statistics import Estimate, clustered_mean, score, wilson


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

    score("hits", fractions(0, count=10_000), examples=120_000, resamples=1000)

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


def every_resample(ratings: dict[str, list[float]]) -> list[float]:
    """The mean of each of the k^k equally likely draws of k raters, in order."""
    draws = itertools.product(ratings.values(), repeat=len(ratings))
    pools = [list(itertools.chain.from_iterable(draw)) for draw in draws]
    return sorted(sum(pool) / len(pool) for pool in pools)


def rated(ratings: dict[str, list[float]], **options: int) -> Estimate:
    pairs = [(value, name) for name, values in ratings.items() for value in values]
    return clustered_mean([v for v, _ in pairs], [name for _, name in pairs], **options)


def test_the_interval_of_a_mean_is_that_of_all_possible_draws_of_raters() -> None:
    """Five raters have 3,125 draws: the bootstrap's bounds lie at their percentiles."""
    ratings = {"a": [1.0], "b": [2.0, 2.0, 4.0], "c": [4.0, 3.0], "d": [3.0] * 4, "e": [1.0, 2.0]}
    exact = every_resample(ratings)

    found = rated(ratings, resamples=40_000)

    assert found.value == pytest.approx(sum(map(sum, ratings.values())) / 12)
    assert (found.n, found.clusters) == (12, 5)
    assert found.low == pytest.approx(exact[int(0.025 * len(exact))], abs=0.03)
    assert found.high == pytest.approx(exact[-1 - int(0.025 * len(exact))], abs=0.03)


def test_ten_equal_ratings_of_one_rater_are_worth_one() -> None:
    once = {str(place): [1.0 + place % 4] for place in range(40)}
    tenfold = {name: values * 10 for name, values in once.items()}

    assert (rated(once).low, rated(once).high) == (rated(tenfold).low, rated(tenfold).high)
    alone = clustered_mean([1.0, 2.0, 3.0, 4.0] * 100, range(400))
    assert alone.low is not None
    assert alone.low > (rated(tenfold).low or math.inf)


def test_one_rater_has_a_mean_and_no_interval() -> None:
    assert clustered_mean([4, 2, 3], ["r1"] * 3) == Estimate(3.0, None, None, n=3, clusters=1)


def test_a_mean_repeats_by_its_seed() -> None:
    rng = np.random.default_rng(2)
    values, raters = rng.integers(1, 5, size=60).tolist(), rng.integers(12, size=60).tolist()

    assert clustered_mean(values, raters, seed=1) == clustered_mean(values, raters, seed=1)
    assert clustered_mean(values, raters, seed=1).low != clustered_mean(values, raters).low


@pytest.mark.parametrize(("values", "raters"), [([], []), ([1.0, 2.0], ["r1"]), ([1.0], [])])
def test_a_mean_of_nothing_or_of_nobody_is_refused(values: list[float], raters: list[str]) -> None:
    with pytest.raises(ValueError, match=r"not defined|clusters named"):
        clustered_mean(values, raters)


@pytest.mark.shared
def test_wilson_intervals_are_the_published_ones(shared: Path) -> None:
    known = json.loads((shared / "oracle" / "estimators.json").read_text("utf-8"))["wilson95"]

    for asked, interval in known.items():
        successes, n = map(int, asked.split("/"))
        assert wilson(successes, n) == pytest.approx(interval, abs=5e-5)


@given(st.integers(1, 400), st.data())
def test_a_wilson_interval_holds_its_share_and_mirrors(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)

    assert 0 <= low <= successes / n <= high <= 1
    assert low < high
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 4)])
def test_what_is_no_share_has_no_interval(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        wilson(successes, n)
