"""Twins: the fast search finds what the definition says."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from harness.data.twins import Sides, are_twins, sides, twins
from harness.dialogue import SILENCE, Dialogue, Example

TEXTS = st.frozensets(st.integers(0, 9), min_size=1, max_size=5)
SIDES = st.builds(Sides, said=TEXTS, heard=TEXTS | st.just(frozenset()))


@given(st.lists(SIDES, max_size=12))
def test_all_pairs_that_are_twins_are_found(dialogues: list[Sides]) -> None:
    by_definition = [
        {
            other
            for other in range(len(dialogues))
            if other != place and are_twins(dialogues[place], dialogues[other])
        }
        for place in range(len(dialogues))
    ]
    assert twins(dialogues) == by_definition


@given(SIDES, SIDES)
def test_being_twins_is_mutual(one: Sides, other: Sides) -> None:
    assert are_twins(one, other) == are_twins(other, one)


def test_the_sides_of_a_talk_are_twins_whatever_the_spelling() -> None:
    one = Dialogue("1", examples=(Example(("Hi!",), ("Hello.",)), Example(("A cat?",), ("Yes",))))
    other = Dialogue("2", examples=(Example((SILENCE,), ("hi",)), Example(("hello", ""), ("cat",))))
    stranger = Dialogue("3", examples=(Example(("what",), ("that",)),))

    assert twins([sides(d) for d in (one, other, stranger)]) == [{1}, {0}, set()]


def test_silence_is_heard_by_nobody() -> None:
    silent = [sides(Dialogue(n, examples=(Example((SILENCE,), ("hi",)),))) for n in "ab"]
    assert all(one.heard == frozenset() for one in silent)
    assert not any(are_twins(*pair) for pair in product(silent, repeat=2))
