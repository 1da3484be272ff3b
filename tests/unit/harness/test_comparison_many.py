"""Several runs over one set: adjusted for their number, and the ranks that each may have."""

import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import comparison
from harness.comparison import RankRange, compare, compare_all, holm, rank_ranges
from harness.errors import UsageError
from harness.report import Report, Score, Total

PS = st.lists(st.floats(0, 1), max_size=8)


def run(values: list[float], *, track: str = "hits") -> Report:
    return Report(
        track=track,  # type: ignore[arg-type]  # one of the three
        score=Score(0.0, 0.0, 0.0, n=10 * len(values)),
        signature=f"track:{track}|data:a",
        totals=tuple(Total(value, 10.0) for value in values),
    )


def noisy(mean: float, *, seed: int, count: int = 60) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(mean + noise) for noise in rng.normal(0, 1, count)]


def test_holm_is_the_published_procedure() -> None:
    """Worked by hand: 4 x .005, 3 x .01, 2 x .03, then no less than the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.3]) == [0.3]
    assert holm([]) == []


@given(PS)
def test_holm_lies_between_the_raw_p_and_bonferroni_and_keeps_the_order(ps: list[float]) -> None:
    adjusted = holm(ps)

    for p, found in zip(ps, adjusted, strict=True):
        assert p <= found <= min(1.0, len(ps) * p + 1e-12)
    for (p, a), (q, b) in itertools.combinations(zip(ps, adjusted, strict=True), 2):
        assert a <= b or p > q
        assert b <= a or q > p


@given(PS.filter(bool), st.floats(0.01, 0.2))
def test_holm_rejects_what_the_step_down_rule_rejects(ps: list[float], alpha: float) -> None:
    """The rule as published: from the smallest p, as long as p < alpha / (those left)."""
    rejected = 0
    for left, p in zip(range(len(ps), 0, -1), sorted(ps), strict=True):
        if not p * left < alpha:
            break
        rejected += 1

    assert sum(p < alpha for p in holm(ps)) == rejected


def test_rank_ranges_count_who_is_better_and_worse_for_certain() -> None:
    sure, unsure = 0.01, 0.2
    adjusted = {(0, 1): unsure, (0, 2): sure, (1, 2): unsure, **{(n, 3): sure for n in range(3)}}

    ranges = rank_ranges([0.3, 0.4, 0.5, 0.9], adjusted)

    assert ranges == (RankRange(3, 4), RankRange(2, 4), RankRange(2, 3), RankRange(1, 1))


def test_rank_ranges_turn_round_where_less_is_better() -> None:
    adjusted = {(0, 1): 0.01, (0, 2): 0.01, (1, 2): 0.01}

    assert rank_ranges([30.0, 20.0, math.inf], adjusted, higher_is_better=False) == (
        *(RankRange(2, 2), RankRange(1, 1), RankRange(3, 3)),
    )


def test_p_must_be_below_alpha_and_equal_scores_beat_nobody() -> None:
    assert rank_ranges([1.0, 2.0], {(0, 1): 0.05}) == (RankRange(1, 2), RankRange(1, 2))
    assert rank_ranges([1.0, 2.0], {(0, 1): 0.05}, alpha=0.06) == (RankRange(2, 2), RankRange(1, 1))
    assert rank_ranges([1.0, 1.0], {(0, 1): 0.0}) == (RankRange(1, 2), RankRange(1, 2))
    assert rank_ranges([], {}) == ()


def test_all_pairs_of_several_runs_are_tested_and_adjusted_together() -> None:
    reports = [run(noisy(mean, seed=n)) for n, mean in enumerate((5.0, 5.1, 7.0))]

    found = compare_all(reports, seed=2, resamples=2000)

    assert (found.metric, found.unit, found.dialogues) == ("hits@1", "fraction", 60)
    assert found.higher_is_better is True
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    for pair in found.pairs:
        alone = compare(reports[pair.first], reports[pair.second], seed=2, resamples=2000)
        assert pair.difference == alone
        assert pair.difference.first == found.values[pair.first]
        assert pair.difference.second == found.values[pair.second]
    assert [pair.adjusted for pair in found.pairs] == holm(
        [pair.difference.p for pair in found.pairs]
    )
    assert found.ranks == (RankRange(2, 3), RankRange(2, 3), RankRange(1, 1))


def test_the_lower_perplexity_has_the_better_rank() -> None:
    reports = [run(noisy(mean, seed=n), track="ppl") for n, mean in enumerate((40.0, 30.0))]

    found = compare_all(reports)

    assert found.higher_is_better is False
    assert found.ranks == (RankRange(2, 2), RankRange(1, 1))
    assert compare_all(reports, alpha=0.0).ranks == (RankRange(1, 2), RankRange(1, 2))


def test_many_runs_are_resampled_in_groups_that_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = [run(noisy(5.0 + n / 9, seed=n)) for n in range(5)]
    whole = compare_all(reports, resamples=300)

    monkeypatch.setattr(comparison, "_MOST_COLUMNS", 5)

    assert compare_all(reports, resamples=300) == whole
    assert len(whole.pairs) == 10


def test_one_report_is_not_a_comparison() -> None:
    with pytest.raises(UsageError, match="at least two reports"):
        compare_all([run([1.0])])


def test_the_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(comparison)

    assert result.attempted > 0
    assert result.failed == 0
