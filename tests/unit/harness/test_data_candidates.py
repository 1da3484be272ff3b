"""Distractors from a pool, and from the set's own other talks."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import candidates
from harness.data.candidates import Needs, borrowed, pool, with_candidates
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import normalise


def talk(name: str, *replies: str) -> Dialogue:
    return Dialogue(name, examples=tuple(Example(("x",), (reply,)) for reply in replies))


SET = [talk("1", "Hi!", "yes"), talk("2", "hi", "no")]


def test_a_pool_holds_no_reply_of_the_set_no_double_and_no_blank() -> None:
    found = pool(
        [talk("p", "HI", "a dog", "the dog!", "?!", "cats"), talk("q", "YES .", "cats")],
        needs=Needs.of(SET),
        seed=0,
    )

    assert set(found.texts) == {"a dog", "cats"}
    assert (found.taken, found.doubles, found.blank) == (2, 2, 1)


def test_alternative_labels_are_no_distractors_either() -> None:
    needs = Needs.of([Dialogue("1", examples=(Example(("x",), ("yes", "Sure!")),))])
    assert pool([talk("p", "sure")], needs=needs, seed=0).texts == ()


def test_a_large_pool_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MAX_POOL", 10)
    texts = pool([talk("p", *map(str, range(200)))], needs=Needs.of(SET), seed=0).texts
    assert len(set(texts)) == 10
    assert set(texts) != set(map(str, range(10)))


@given(count=st.integers(2, 8), size=st.integers(7, 60), seed=st.integers(0, 5))
def test_lists_hold_the_reply_once_among_different_texts(count: int, size: int, seed: int) -> None:
    texts = tuple(f"word{n}" for n in range(size))
    needs = Needs.of(SET)
    made = list(with_candidates(SET, texts, needs=needs, count=count, seed=seed))

    assert made == list(with_candidates(SET, texts, needs=needs, count=count, seed=seed))
    listed = Counter[str]()
    for one, former in zip(made, SET, strict=True):
        for example, before in zip(one.examples, former.examples, strict=True):
            assert example.replies == before.replies
            assert len(example.candidates) == len(set(example.candidates)) == count
            assert example.replies[0] in example.candidates
            listed.update(set(example.candidates) - set(example.replies))
    if size >= 4 * (count - 1):  # enough for each to be used once
        assert max(listed.values()) == 1


def test_the_replys_place_is_drawn() -> None:
    many = [talk(str(n), "yes") for n in range(300)]
    texts = tuple(f"word{n}" for n in range(20))
    made = with_candidates(many, texts, needs=Needs.of(many), count=3, seed=1)
    places = Counter(one.examples[0].candidates.index("yes") for one in made)
    assert all(70 < places[place] < 130 for place in range(3))


def test_a_pool_that_is_too_small_is_refused_with_the_numbers() -> None:
    with pytest.raises(UsageError, match=r"lists of 5 need 4 distractors, and the pool has 2"):
        list(with_candidates(SET, ("a", "b"), needs=Needs.of(SET), count=5, seed=0))


@pytest.mark.parametrize("count", [1, 1001])
def test_a_list_has_a_bounded_length(count: int) -> None:
    with pytest.raises(UsageError, match="from 2 to 1000 candidates"):
        list(with_candidates(SET, ("a",) * 2000, needs=Needs.of(SET), count=count, seed=0))
    with pytest.raises(UsageError, match="from 2 to 1000 candidates"):
        list(borrowed(lambda: enumerate(SET), count=count, seed=0))


def test_borrowed_distractors_are_replies_of_other_talks() -> None:
    rng = random.Random(3)
    texts = [f"word{n}" for n in range(30)]
    talks = [(n // 2, talk(str(n), *rng.choices(texts, k=4))) for n in range(20)]

    made = list(borrowed(lambda: talks, count=5, seed=7))

    for (source, _), one in zip(talks, made, strict=True):
        others = {e.replies[0] for number, d in talks if number != source for e in d.examples}
        for example in one.examples:
            distractors = [t for t in example.candidates if t != example.replies[0]]
            assert len({normalise(t) for t in example.candidates}) == 5
            assert set(distractors) <= others


def test_borrowing_more_than_there_is_is_refused() -> None:
    with pytest.raises(UsageError, match=r"lists of 5 need more different replies"):
        list(borrowed(lambda: enumerate(SET), count=5, seed=0))
