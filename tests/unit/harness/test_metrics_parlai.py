"""The original's own scores: what it leaves out, and when it is infinite."""

import math

import pytest

from harness.metrics import parlai
from harness.text import Vocabulary


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


def test_a_single_example_is_its_own_mean() -> None:
    row = parlai.measure("yes", ranking=["no"] * 5 + ["yes"], replies=["yes"])

    assert parlai.score([row]) == {
        **{"exs": 1, "accuracy": 1.0, "f1": 1.0},
        **{"hits@1": 0.0, "hits@5": 0.0, "hits@10": 1.0, "hits@100": 1.0},
    }


def test_an_example_without_a_reply_is_refused_as_in_the_original() -> None:
    with pytest.raises(ValueError, match=r"^an example without a reply has no score$"):
        parlai.measure("yes", ranking=None, replies=[])


VOCABULARY = Vocabulary.from_counts({"i": 3, "tea": 1})


def test_the_loss_is_per_scored_word_over_the_whole_set() -> None:
    parts = [
        parlai.loss("I like tea", weights=[1.0, 0.5], sums=[2.0, 2.0], vocabulary=VOCABULARY),
        parlai.loss("I", weights=[1.0], sums=[2.0], vocabulary=VOCABULARY),
    ]

    scores = parlai.score_losses(parts, vocabulary=VOCABULARY)

    assert parts[0] == parlai.Loss(pytest.approx(math.log(8)), num_tokens=2, num_unk=1)
    assert scores == pytest.approx(
        {
            **{"loss": math.log(16) / 3, "ppl": 16 ** (1 / 3), "sum_loss": math.log(16)},
            **{"num_tokens": 3, "num_unk": 1, "exs": 2, "vocab": 6},
        }
    )


def test_one_zero_makes_the_whole_set_infinite() -> None:
    parts = [
        parlai.loss("I like tea", weights=[1.0, 0.0], sums=[2.0, 2.0], vocabulary=VOCABULARY),
        parlai.loss("I", weights=[1.0], sums=[2.0], vocabulary=VOCABULARY),
    ]

    scores = parlai.score_losses(parts, vocabulary=VOCABULARY)

    assert (scores["ppl"], scores["num_tokens"], scores["num_unk"]) == (math.inf, 3, 1)
    with pytest.raises(ValueError, match="1 weights, 1 sums for 2 scored words"):
        parlai.loss("i tea", weights=[1.0], sums=[1.0], vocabulary=VOCABULARY)
