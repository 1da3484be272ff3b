"""The check that an agent answers its verbs well: each wrong answer has its detail."""

from typing import Any

import numpy as np
import pytest

from harness.agent import MAX_REPLY_BYTES, check_probabilities, check_replies, check_scores
from harness.errors import SubmissionError


def detail(caught: pytest.ExceptionInfo[SubmissionError]) -> str | None:
    assert caught.value.code == "invalid_prediction"
    return caught.value.detail


def test_replies_are_cleaned_of_what_could_steer_a_terminal() -> None:
    replies = check_replies([" a\x1b[2J\x00b\n", "\u202eevil\u2069", "é \u2019"], count=3)

    assert replies == ["a [2J b", "evil", "é \u2019"]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ("two", "not_text"),
        (None, "not_text"),
        ([], "wrong_count"),
        (["a", "b", "c"], "wrong_count"),
        (["a", None], "not_text"),
        (["a", b"b"], "not_text"),
        (["a", "\ud800"], "not_text"),
        (["a", "é" * (MAX_REPLY_BYTES // 2 + 1)], "too_long"),
    ],
)
def test_bad_replies_are_refused(replies: Any, expected: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        check_replies(replies, count=2)

    assert detail(caught) == expected


def test_a_reply_of_just_the_bound_passes() -> None:
    assert check_replies(["é" * (MAX_REPLY_BYTES // 2)], count=1)


@pytest.mark.parametrize(
    "scores",
    [
        [[1, 2], [3.5]],
        ([1, 2], (3.5,)),
        [np.array([1, 2], dtype=np.float32), np.array([3.5])],
    ],
)
def test_scores_of_any_sequence_become_float64(scores: Any) -> None:
    rows = check_scores(scores, sizes=[2, 1])

    assert [row.tolist() for row in rows] == [[1.0, 2.0], [3.5]]
    assert all(row.dtype == np.float64 for row in rows)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (None, "wrong_count"),
        ([[1, 2]], "wrong_count"),
        ([[1, 2], [3, 4]], "wrong_count"),
        ([[1, 2], 3], "wrong_count"),
        ([[1, float("nan")], [3]], "not_finite"),
        ([[1, float("inf")], [3]], "not_finite"),
        ([[1, "x"], [3]], "not_finite"),
        ([[1, 10**400], [3]], "not_finite"),
        ([[1, None], [3]], "not_finite"),
    ],
)
def test_bad_scores_are_refused(scores: Any, expected: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        check_scores(scores, sizes=[2, 1])

    assert detail(caught) == expected


def test_rows_of_weights_give_their_sums_in_float64() -> None:
    rows = np.array([[1, 2, 3], [0, 0, 0.5]], dtype=np.float32)

    sums = check_probabilities(rows, count=2, vocabulary_size=3)

    assert sums.tolist() == [6.0, 0.5]
    assert sums.dtype == np.float64
    empty = np.zeros((0, 3), dtype=np.float32)
    assert check_probabilities(empty, count=0, vocabulary_size=3).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1.0, 1.0]], "wrong_count"),
        (np.ones((1, 2)), "wrong_count"),
        (np.ones((1, 2), dtype=">f4"), "wrong_count"),
        (np.ones((2, 2), dtype=np.float32), "wrong_count"),
        (np.ones(2, dtype=np.float32), "wrong_count"),
        (np.array([[1, np.nan]], dtype=np.float32), "not_finite"),
        (np.array([[1, np.inf]], dtype=np.float32), "not_finite"),
        (np.array([[np.inf, -np.inf]], dtype=np.float32), "not_finite"),
        (np.array([[2, -1]], dtype=np.float32), "negative"),
        (np.array([[0, 0]], dtype=np.float32), "zero_row"),
    ],
)
def test_bad_rows_are_refused(rows: Any, expected: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        check_probabilities(rows, count=1, vocabulary_size=2)

    assert detail(caught) == expected
