"""The three measures, at their edges; the known answers are in tests/contracts/test_oracle.py."""

import doctest
import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import text
from harness.errors import UsageError
from harness.metrics import f1, hits, parlai, perplexity
from harness.text import Vocabulary

TEXTS = st.text(alphabet="ab the.!' ", max_size=12)


def test_hits_looks_at_the_k_best_candidates() -> None:
    scores = np.array([0.1, 0.3, 0.2])

    found = [
        hits.measure(scores, candidates=["x", "y", "Z!"], replies=["z"], k=k) for k in (1, 2, 3)
    ]

    assert found == [0.0, 1.0, 1.0]


def test_equal_scores_keep_the_order_of_the_candidates() -> None:
    candidates = [f"c{place}" for place in range(20)]
    scores = np.full(20, 0.5)

    assert hits.measure(scores, candidates=candidates, replies=["c0"]) == 1.0
    assert hits.measure(scores, candidates=candidates, replies=["c1"]) == 0.0
    assert hits.measure(scores, candidates=candidates, replies=["c4"], k=5) == 1.0
    assert hits.measure(scores, candidates=candidates, replies=["c5"], k=5) == 0.0


def test_infinitely_small_differences_count_and_any_label_will_do() -> None:
    scores = np.array([1.0, np.nextafter(1.0, 2.0)])

    assert hits.measure(scores, candidates=["a b", "b"], replies=["no", "the b ."]) == 1.0


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=25, unique=True), st.integers(1, 30))
def test_hits_is_the_share_of_better_candidates(values: list[float], k: int) -> None:
    candidates = [f"c{place}" for place in range(len(values))]
    better = sum(value > values[0] for value in values)

    found = hits.measure(np.array(values), candidates=candidates, replies=["c0"], k=k)

    assert found == float(better < k)


@pytest.mark.parametrize(
    ("reply", "replies", "expected"),
    [
        ("", [""], 0.0),
        ("the", ["a"], 0.0),
        ("i i i", ["i am"], 0.4),
        ("same words", ["words, same!"], 1.0),
        ("blue", ["red", "blue car", "blue"], 1.0),
        ("x", ["y"], 0.0),
    ],
)
def test_f1_counts_common_words(reply: str, replies: list[str], expected: float) -> None:
    assert f1.measure(reply, replies=replies) == pytest.approx(expected)


@given(TEXTS, TEXTS)
def test_f1_is_symmetric_and_a_fraction(one: str, other: str) -> None:
    value = f1.measure(one, replies=[other])

    assert 0 <= value <= 1
    assert value == pytest.approx(f1.measure(other, replies=[one]))


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4))
def test_another_label_never_lowers_f1(reply: str, replies: list[str]) -> None:
    assert f1.measure(reply, replies=replies) >= f1.measure(reply, replies=replies[:1])


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


def test_the_original_leaves_unanswered_examples_out() -> None:
    rows = [
        parlai.measure("yes", ranking=["yes", "no"], replies=["yes"]),
        parlai.measure(None, ranking=None, replies=["yes"]),
        parlai.measure("no", ranking=["no"], replies=["yes"]),
    ]

    assert parlai.score(rows) == {
        **{"exs": 3, "accuracy": 0.5, "f1": 0.5},
        **{"hits@1": 0.5, "hits@5": 0.5, "hits@10": 0.5, "hits@100": 0.5},
    }
    assert parlai.score([]) == {"exs": 0}


def test_one_zero_makes_the_whole_set_infinite() -> None:
    vocabulary = Vocabulary.from_counts({"i": 3, "tea": 1})
    parts = [
        parlai.loss("I like tea", weights=[1.0, 0.0], sums=[2.0, 2.0], vocabulary=vocabulary),
        parlai.loss("I", weights=[1.0], sums=[2.0], vocabulary=vocabulary),
    ]

    scores = parlai.score_losses(parts, vocabulary=vocabulary)

    assert (scores["ppl"], scores["num_tokens"], scores["num_unk"]) == (math.inf, 3, 1)
    with pytest.raises(ValueError, match="1 weights, 1 sums for 2 scored words"):
        parlai.loss("i tea", weights=[1.0], sums=[1.0], vocabulary=vocabulary)


@pytest.mark.parametrize("module", [text, f1, hits])
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.attempted > 0
    assert result.failed == 0
