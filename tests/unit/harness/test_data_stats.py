"""The numbers of a file."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.data import jsonl
from harness.data.stats import Spread, stats
from harness.dialogue import Dialogue, Example

TALK = Dialogue(
    "1",
    ("I ski.", "i sing"),
    (),
    (
        Example(("__SILENCE__",), ("Hi, you!",), ("Hi, you!", "no")),
        Example(("hello", "how are you"), ("fine", "well"), (), "1"),
    ),
)


def test_what_a_file_holds() -> None:
    other = Dialogue("2", ("i sing.", "I SKI"), ("x",), TALK.examples)
    counted = stats([TALK, other])

    assert (counted.dialogues, counted.examples) == (2, 4)
    assert counted.words == 2 * (4 + 4 + 1)
    assert counted.unique_words == 8  # you stands in two utterances
    assert counted.reply_words == Spread(1, 1, 4, 4)
    assert counted.turns == Spread(2, 2, 2, 2)
    assert counted.labels == Spread(1, 1, 2, 2)
    assert counted.candidates == Spread(0, 0, 2, 2)
    assert counted.unique_replies == 2
    assert counted.personas == 1
    assert counted.with_partner_persona == 1
    assert (counted.rewards, counted.silent, counted.duplicate_dialogues) == (2, 2, 1)
    assert counted.sha256 == jsonl.digest([TALK, other])
    assert counted.as_json()["reply_words"] == {"least": 1, "median": 1, "ninety": 4, "most": 4}


def test_nothing_holds_nothing() -> None:
    assert stats([]).reply_words == Spread(0, 0, 0, 0)
    bare = stats([Dialogue("1")])
    assert (bare.dialogues, bare.examples, bare.personas, bare.silent) == (1, 0, 0, 0)


@given(st.lists(st.integers(0, 30), min_size=1))
def test_a_spread_is_that_of_the_sorted_values(values: list[int]) -> None:
    ranked = sorted(values)
    spread = Spread.of(Counter(values))
    assert (spread.least, spread.most) == (ranked[0], ranked[-1])
    assert spread.median == ranked[-(-len(ranked) // 2) - 1]
    assert spread.ninety == ranked[-(-9 * len(ranked) // 10) - 1]
