"""Train, valid and test that know nothing of each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.split import SPLITS, split
from harness.data.twins import are_twins, sides
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import normalise


def talk(name: str, persona: tuple[str, ...] = (), *said: str) -> Dialogue:
    texts = said or (f"hello {name}", f"hi {name}")
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return Dialogue(name, persona, (), tuple(Example((heard,), (reply,)) for heard, reply in pairs))


PERSONAS = st.lists(st.sampled_from([f"i am {n} ." for n in range(40)]), max_size=2).map(tuple)


@given(
    st.lists(PERSONAS, min_size=20, max_size=60),
    st.integers(0, 3),
    st.sampled_from(["persona", "dialogue"]),
)
def test_no_sentence_is_known_to_two_splits(
    personas: list[tuple[str, ...]], seed: int, by: str
) -> None:
    dialogues = [talk(str(n), persona) for n, persona in enumerate(personas)]

    made = split(dialogues, valid=0.2, test=0.2, seed=seed, by=by)  # type: ignore[arg-type]  # one of two

    assert len(made.of) == len(dialogues)
    assert set(made.of) <= set(SPLITS)
    assert made.got == {name: made.of.count(name) for name in SPLITS}
    assert sum(made.wished.values()) == len(dialogues)
    assert made == split(dialogues, valid=0.2, test=0.2, seed=seed, by=by)  # type: ignore[arg-type]  # one of two
    if by == "dialogue":
        assert made.got == made.wished  # nothing holds two dialogues together
        return
    home: dict[str, str] = {}
    for one, name in zip(dialogues, made.of, strict=True):
        for sentence in one.persona:
            assert home.setdefault(normalise(sentence), name) == name


def test_sentences_are_the_same_after_normalisation() -> None:
    dialogues = [talk(str(n), (f"I am {n}!",)) for n in range(10)]
    dialogues += [talk(f"{n}'", (f"i am the {n}",)) for n in range(10)]
    made = split(dialogues, valid=0.3, test=0.3, seed=1)
    assert made.of[:10] == made.of[10:]
    assert (made.groups, made.largest) == (10, 2)


def test_twins_and_copies_stay_together() -> None:
    dialogues = [talk(str(n), (), f"hey {n}", f"you {n}", f"so {n}", f"well {n}") for n in range(9)]
    twins = [talk(f"t{n}", (), "x", f"hey {n}", f"you {n}", f"so {n}") for n in range(9)]
    assert are_twins(sides(dialogues[0]), sides(twins[0]))
    made = split([*dialogues, *twins, *dialogues], valid=0.2, test=0.2, seed=0, by="dialogue")
    assert made.of[:9] == made.of[9:18] == made.of[18:]


def test_sizes_come_out_as_wished_where_groups_are_small() -> None:
    dialogues = [talk(str(n), (f"i am {n // 3} .",)) for n in range(900)]
    made = split(dialogues, valid=0.1, test=0.1, seed=0)
    assert made.got == {"train": 720, "valid": 90, "test": 90}
    assert made.complaint == ""
    other = split(dialogues, valid=0.1, test=0.1, seed=1)
    assert other.got == made.got
    assert other.of != made.of


def test_a_group_that_is_too_large_is_named() -> None:
    dialogues = [talk(str(n), ("i am me .",) if n < 95 else ()) for n in range(100)]
    made = split(dialogues, valid=0.1, test=0.1, seed=0)
    assert made.got["train"] == 95
    assert "valid" in made.complaint
    assert "the largest group that must stay together has 95 of 100 dialogues" in made.complaint


def test_a_split_of_nothing_is_left_empty() -> None:
    made = split([talk(str(n)) for n in range(10)], valid=0, test=0.3, seed=0)
    assert made.got == {"train": 7, "valid": 0, "test": 3}


@pytest.mark.parametrize(
    ("valid", "test"), [(0.5, 0.5), (-0.1, 0.1), (0.1, 1.0), (float("nan"), 0)]
)
def test_shares_are_shares(valid: float, test: float) -> None:
    with pytest.raises(UsageError, match="--valid and --test are shares"):
        split([talk("1")], valid=valid, test=test, seed=0)


def test_a_file_too_small_to_split_is_refused() -> None:
    with pytest.raises(UsageError, match="valid would have no dialogue: the file has only 3"):
        split([talk(str(n)) for n in range(3)], valid=0.1, test=0.4, seed=0)
