"""hits@k and the reciprocal rank: the place of the reply among the candidates, at its edges."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import hits
from harness.text import normalise

ANSWERS = st.text(alphabet="abe \n.'\u00e9\u2019\u0130\u0301\x00", max_size=5)
SCORES = st.sampled_from([0.0, 0.5, 1.0])


def slowly(scores: list[float], candidates: list[str], replies: list[str]) -> int | None:
    """The rank by the letter of the rule: sort, normalise all, look."""
    wanted = {normalise(reply) for reply in replies}
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    ranks = [n for n, place in enumerate(order, 1) if normalise(candidates[place]) in wanted]
    return ranks[0] if ranks else None


@given(
    st.lists(st.tuples(ANSWERS, SCORES), min_size=1, max_size=8),
    st.lists(ANSWERS, min_size=1, max_size=3),
)
def test_the_rank_is_that_of_the_rule_written_out(
    rows: list[tuple[str, float]], replies: list[str]
) -> None:
    candidates, scores = [text for text, _ in rows], [score for _, score in rows]

    found = hits.rank(np.array(scores), candidates=candidates, replies=replies)

    assert found == slowly(scores, candidates, replies)


def test_the_best_placed_of_several_replies_counts() -> None:
    candidates = ["x", "Yes.", "y", "the yes", "YES"]

    assert hits.places(candidates, replies=["yes!"]) == [1, 3, 4]
    assert hits.rank(np.array([9.0, 1, 5, 7, 2]), candidates=candidates, replies=["yes!"]) == 2
    assert hits.rank(np.array([9.0, 1, 5, 1, 1]), candidates=candidates, replies=["yes!"]) == 3
    assert hits.rank(np.array([9.0, 9, 9, 9, 9]), candidates=candidates, replies=["yes!"]) == 2


def test_a_reply_that_is_no_candidate_has_no_rank() -> None:
    """Also where what is compared first is equal: the letters that no article has."""
    assert hits.rank(np.array([1.0, 2.0]), candidates=["no", "o"], replies=["on"]) is None
    assert hits.rank(np.array([1.0]), candidates=["it is"], replies=["is it"]) is None


def test_a_line_break_inside_a_candidate_is_whitespace_as_any_other() -> None:
    candidates = ["a\nb", "c\n", "\nd"]

    assert hits.places(candidates, replies=["b"]) == [0]
    assert hits.places(candidates, replies=["c", "d\n\n"]) == [1, 2]


def test_a_gain_holds_every_hit_and_the_reciprocal_rank() -> None:
    assert hits.gain(1) == (1.0, 1.0, 0, (1.0, 1.0, 1.0, 1.0), None)
    assert hits.gain(3) == (0.0, 1.0, 0, (1.0, 1.0, 1.0, 1 / 3), None)
    assert hits.gain(5) == (0.0, 1.0, 0, (0.0, 1.0, 1.0, 0.2), None)
    assert hits.gain(10) == (0.0, 1.0, 0, (0.0, 0.0, 1.0, 0.1), None)
    assert hits.gain(11) == (0.0, 1.0, 0, (0.0, 0.0, 0.0, 1 / 11), None)
    assert hits.gain(None) == (0.0, 1.0, 0, (0.0, 0.0, 0.0, 0.0), None)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_better_rank_never_gains_less(rank: int, k: int) -> None:
    better, worse = hits.gain(rank), hits.gain(rank + k)

    assert better.value >= worse.value
    assert all(one >= other for one, other in zip(better.more, worse.more, strict=True))
    assert better.more[-1] > worse.more[-1] > 0


def test_found_looks_at_answers_that_an_agent_ranked_itself() -> None:
    assert hits.found(["x", "The Dog!"], replies=["cat", "dog"]) == 1.0
    assert hits.found(["x"], replies=["dog"]) == 0.0
    assert hits.found([], replies=["dog"]) == 0.0


def test_the_mean_is_of_all_examples() -> None:
    totals = np.array([[3.0, 4.0], [0.0, 0.0]])

    assert hits.score(totals[0]) == 0.75
    assert math.isnan(hits.score(totals[1]))
    assert (hits.UNIT, hits.HIGHER_IS_BETTER) == ("fraction", True)


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
