"""Perplexity: losses of words, zeros, words outside the dictionary."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.metrics import perplexity
from harness.text import Vocabulary


def test_the_score_is_the_exponential_of_the_nats_per_word() -> None:
    totals = np.array([[[2 * math.log(8), 2.0], [0.0, 3.0]], [[math.inf, 2.0], [0.0, 0.0]]])

    found = perplexity.score(totals)

    assert found[0].tolist() == pytest.approx([8.0, 1.0])
    assert found[1, 0] == math.inf
    assert math.isnan(found[1, 1])
    assert perplexity.score(np.array([2000.0, 1.0])) == math.inf
    assert (perplexity.UNIT, perplexity.HIGHER_IS_BETTER) == ("per word", False)


def test_a_loss_is_the_share_of_the_row_in_nats() -> None:
    nats = perplexity.losses([1.0, 2.0, 5.0], [4.0, 4.0, 5.0])

    assert nats.tolist() == pytest.approx([math.log(4), math.log(2), 0.0])


def test_scaling_a_row_earns_nothing() -> None:
    weights = np.array([1e-30, 0.25, 3e30], dtype=np.float32)
    sums = np.array([1e-28, 1.0, 9e30])

    for factor in (0.1, 1.5, 1e-3):
        assert perplexity.losses(weights * np.float32(factor), sums * factor) == pytest.approx(
            perplexity.losses(weights, sums), rel=1e-6
        )


def test_a_zero_costs_what_the_rule_says() -> None:
    infinite = perplexity.losses([0.0, 1.0], [1.0, 2.0])
    floored = perplexity.losses([0.0, 1e-12, 1.0], [1.0, 1.0, 2.0], zero="floor-1e-10")

    assert infinite.tolist() == [math.inf, pytest.approx(math.log(2))]
    assert floored.tolist() == pytest.approx([math.log(1e10), math.log(1e10), math.log(2)])
    with pytest.raises(UsageError, match="zero rule 'none' is unknown; known: infinite, floor"):
        perplexity.losses([1.0], [1.0], zero="none")


def test_no_words_have_no_losses() -> None:
    assert perplexity.losses([], []).shape == (0,)


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=20).filter(lambda row: sum(row) > 0))
def test_a_loss_is_never_negative_and_a_row_of_losses_sums_to_one(row: list[float]) -> None:
    nats = perplexity.losses(row, [math.fsum(row)] * len(row))

    assert (nats >= 0).all()
    assert np.exp(-nats).sum() == pytest.approx(1.0)


def test_words_outside_the_dictionary_are_not_scored() -> None:
    vocabulary = Vocabulary.from_counts({"i": 3, "tea": 1})

    assert perplexity.scored_words(["i", "like", "tea"], vocabulary) == [0, 2]
