"""F1, precision and recall: words in common, at their edges."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import f1
from harness.metrics.f1 import F1
from harness.text import normalise

TEXTS = st.text(alphabet="ab the.!'\u2019\x00", max_size=12)


def by_counters(reply: str, label: str) -> F1:
    """The rule by the letter: a multiset intersection of the normalised words."""
    words, given_words = normalise(reply).split(), normalise(label).split()
    common = (Counter(words) & Counter(given_words)).total()
    if common == 0:
        return F1(0.0, 0.0, 0.0)
    precision, recall = common / len(words), common / len(given_words)
    return F1(2 * precision * recall / (precision + recall), precision, recall)


@given(TEXTS, TEXTS)
def test_the_overlap_is_that_of_the_rule_written_out(reply: str, label: str) -> None:
    assert f1.overlap(reply, replies=[label]) == by_counters(reply, label)


def test_precision_and_recall_are_those_of_the_label_with_the_best_f1() -> None:
    found = f1.overlap("red blue", replies=["red", "red blue green", "x"])

    assert found == pytest.approx((0.8, 1.0, 2 / 3))


def test_of_labels_with_equal_f1_the_first_counts() -> None:
    short, long = "red", "red blue x y"

    assert f1.overlap("red blue", replies=["z", short, long]) == (2 / 3, 0.5, 1.0)
    assert f1.overlap("red blue", replies=["z", long, short]) == (2 / 3, 1.0, 0.5)


def test_an_overlap_with_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        f1.overlap("x", replies=[])


def test_a_gain_holds_precision_recall_and_the_reply_where_it_is_asked_for() -> None:
    found = F1(0.5, 0.4, 0.6)

    assert f1.gain(found) == (0.5, 1.0, 0, (0.4, 0.6), None)
    assert f1.gain(found, reply="x") == (0.5, 1.0, 0, (0.4, 0.6), "x")


def test_the_mean_is_of_all_examples() -> None:
    assert f1.score(np.array([1.5, 6.0])) == 0.25
    assert (f1.UNIT, f1.HIGHER_IS_BETTER) == ("fraction", True)


@pytest.mark.parametrize(
    ("reply", "replies", "expected"),
    [
        ("", [""], 0.0),
        ("the", ["a"], 0.0),
        ("i i i", ["i am"], 0.4),
        ("same words", ["words, same!"], 1.0),
        ("blue", ["red", "blue car", "blue"], 1.0),
        ("x", ["y"], 0.0),
        ("blue", ["red", "blue"], 1.0),
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
