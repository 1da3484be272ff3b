"""Persona detection: which of several personas is told best by what one side said."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import persona
from harness.metrics.persona import Weights, Worth, canonical, likeness, measure, stems, worth
from harness.text import answer_words

TEXTS = st.text(alphabet="ab the.!\u2019", max_size=14)
TALKS = st.lists(TEXTS, max_size=4)

NURSE = ("I am a nurse.", "My two cats are my family.", "I grow roses in my garden.")
PILOT = ("I fly planes.", "I was born in Spain.", "I like to cook soup.")
SKIER = ("I ski in the mountains.", "I have a brother.", "I read novels at night.")
SPEECH = (
    "hi , how are you ?",
    "i am fine , and you ?",
    "i like that .",
    "that is nice .",
    "me too !",
)
WEIGHTS = Weights.of([*NURSE, *PILOT, *SKIER, *SPEECH])


def plainly(said: list[str], sentences: tuple[str, ...], weights: Weights) -> float:
    """The rule by the letter, one pair of texts at a time."""
    total = 0.0
    for sentence in sentences:
        own = {word[:5] for word in answer_words(sentence)}
        pairs = [(own & set(stems(reply)), len(own) * len(stems(reply))) for reply in said]
        total += max(
            (sum(map(weights.of_stem, shared)) ** 2 / size for shared, size in pairs if size),
            default=0.0,
        )
    return total


@given(TALKS, TALKS, TALKS)
def test_the_likeness_is_that_of_the_rule_written_out(
    said: list[str], one: list[str], other: list[str]
) -> None:
    personas = [canonical(one), canonical(other)]
    weights = Weights.of([*one, *other, "ab", "b"])

    found = likeness(said, personas, weights=weights)

    assert found == pytest.approx([plainly(said, it, weights) for it in personas])


@given(st.permutations([*SPEECH, "my cats love my garden", "I fly"]))
def test_the_order_of_what_was_said_changes_nothing(said: list[str]) -> None:
    personas = [canonical(it) for it in (NURSE, PILOT, SKIER)]
    expected = likeness(sorted(said), personas, weights=WEIGHTS)

    assert np.array_equal(likeness(said, personas, weights=WEIGHTS), expected)
    assert expected[0] > expected[1] > expected[2] > 0


def test_words_are_compared_by_their_beginnings_without_articles_and_marks() -> None:
    assert stems("The gardeners' gardening, a Garden!") == {"garde"}
    assert stems("the a an !") == frozenset()
    assert (
        measure(
            ["gardening is what i do"], persona=NURSE, others=[PILOT, SKIER], weights=WEIGHTS
        ).first
        == 1.0
    )


def test_a_persona_is_compared_without_order_doubles_and_empty_sentences() -> None:
    assert canonical(["B b.", "the a", "a!", "b B", "A c"]) == ("b b", "c")
    assert canonical([]) == canonical(["", "!"]) == ()


def test_what_everybody_says_tells_less_than_a_rare_word() -> None:
    assert WEIGHTS.texts == 14
    assert WEIGHTS.of_stem("i") < WEIGHTS.of_stem("my") < WEIGHTS.of_stem("nurse")
    assert WEIGHTS.of_stem("nurse") == round(1000 * math.log(15 / 2) ** 2)
    assert WEIGHTS.of_stem("never") == round(1000 * math.log(15) ** 2)
    assert Weights.of(["i", "i i"]).of_stem("i") == 0


def test_a_sentence_counts_by_the_one_reply_that_is_most_like_it() -> None:
    (whole,) = likeness(["i fly planes"], [canonical(PILOT)], weights=WEIGHTS)
    (twice,) = likeness(["i fly planes"] * 2, [canonical(PILOT)], weights=WEIGHTS)
    (apart,) = likeness(["i fly", "planes"], [canonical(PILOT)], weights=WEIGHTS)
    (buried,) = likeness(["i fly planes and much else too"], [canonical(PILOT)], weights=WEIGHTS)

    assert twice == whole > apart
    assert whole > buried > 0


def test_who_recites_a_persona_is_told_and_who_recites_anothers_is_taken_for_it() -> None:
    others = [PILOT, SKIER]

    told = measure(NURSE, persona=NURSE, others=others, weights=WEIGHTS)
    taken = measure(SKIER, persona=NURSE, others=others, weights=WEIGHTS)

    assert told == Worth(1.0, 1.0)
    assert taken.first == 0.0
    assert taken.reciprocal < 1


@pytest.mark.parametrize("said", [[], [""], ["!", "the"], ["xyzzy"]])
def test_who_says_nothing_of_anybody_is_worth_chance(said: list[str]) -> None:
    others = [[f"word{n} mine"] for n in range(19)]

    found = measure(said, persona=["my word"], others=others, weights=Weights.of(["other"]))

    assert found.first == pytest.approx(0.05)
    assert found.reciprocal == pytest.approx(sum(1 / place for place in range(1, 21)) / 20)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=6))
def test_equal_ones_share_their_places_evenly(values: list[float]) -> None:
    places = [
        sum(other > values[0] for other in values) + 1 + before
        for before in range(values.count(values[0]))
    ]  # one of them is the true one's, each as likely

    found = worth(np.array(values))

    assert found.first == pytest.approx(places.count(1) / len(places))
    assert found.reciprocal == pytest.approx(sum(1 / place for place in places) / len(places))


def test_equal_personas_are_equal_to_the_last_bit() -> None:
    words = ["apple", "berry", "cedar", "daisy", "elder", "fungi", "grape"]
    weights = Weights.of([*words, *words[:3], *words[:2], "apple"])
    orders = list(itertools.islice(itertools.permutations(words), 0, None, 251))

    alone = likeness([" ".join(words)], [(" ".join(it),) for it in orders], weights=weights)
    apart = likeness(words, orders, weights=weights)

    assert len(set(alone.tolist())) == len(set(apart.tolist())) == 1


def test_the_measure_is_a_mean_over_dialogues() -> None:
    assert persona.score(np.array([1.5, 2.0])) == 0.75
    assert math.isnan(persona.score(np.array([0.0, 0.0])))
    assert persona.COLUMNS == ("sum", "dialogues")
    assert (persona.UNIT, persona.HIGHER_IS_BETTER, persona.OTHERS) == ("fraction", True, 19)
