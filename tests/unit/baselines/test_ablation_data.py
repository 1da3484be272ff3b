"""What an ablation changes, the persona and the length of the lists, and what it leaves alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from toyset import toy

from baselines.ablation.conditions import CONDITIONS, Absent, Shown, Split, shown
from baselines.ablation.lists import listed
from baselines.ablation.prepared import Prepared, prepare, read
from harness.data import fbdialog, load
from harness.data.both_sides import other_side
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import normalise


def talk(name: str, *, persona: str, partner: str = "") -> Dialogue:
    """A talk whose sides say things that nobody else says."""
    examples = tuple(
        Example((f"{name} asks {turn}",), (f"{name} says {turn}",)) for turn in range(3)
    )
    return Dialogue(name, (persona,), (partner,) if partner else (), examples)


TALKS = [talk(f"t{place}", persona=f"i am number {place} .") for place in range(4)]


def made(condition: str, *talks: Dialogue, folder: Path, seed: int = 0) -> Shown:
    found = shown(condition, Split("train", talks, folder, seed))
    assert isinstance(found, Shown), found
    return found


def personas(found: Shown) -> list[tuple[str, ...]]:
    return [one.persona for one in found.dialogues]


@pytest.mark.parametrize("condition", ["none", "self", "random"])
def test_a_condition_changes_the_persona_alone(condition: str, tmp_path: Path) -> None:
    found = made(condition, *TALKS, folder=tmp_path)

    assert [replace(one, persona=()) for one in found.dialogues] == [
        replace(one, persona=()) for one in TALKS
    ]


def test_none_shows_nothing_and_self_what_the_set_has(tmp_path: Path) -> None:
    both = [talk("a", persona="i am a .", partner="i am b .")]

    assert personas(made("none", *both, folder=tmp_path)) == [()]
    own = made("self", *both, folder=tmp_path)
    assert (own.dialogues[0].persona, own.dialogues[0].partner_persona) == (("i am a .",), ())


def test_random_personas_are_other_peoples_and_drawn_by_the_seed(tmp_path: Path) -> None:
    drawn = [personas(made("random", *TALKS, folder=tmp_path, seed=seed)) for seed in (0, 0, 1)]

    assert drawn[0] == drawn[1] != drawn[2]
    everything = {one.persona for one in TALKS}
    assert all(
        new in everything and new != one.persona for new, one in zip(drawn[0], TALKS, strict=True)
    )


def test_random_personas_need_other_people(tmp_path: Path) -> None:
    found = shown("random", Split("train", (TALKS[0],), tmp_path))
    assert isinstance(found, Absent)
    assert "too few" in found.reason


def test_the_others_persona_comes_from_the_variant_that_shows_it(tmp_path: Path) -> None:
    variant = [replace(one, persona=(), partner_persona=(f"other of {one.id}",)) for one in TALKS]
    fbdialog.write(tmp_path / "train_other_original.txt", reversed(variant[:3]))

    found = made("other", *TALKS, folder=tmp_path)

    assert personas(found) == [("other of t0",), ("other of t1",), ("other of t2",), ()]
    assert found.known == 3


def test_the_others_persona_comes_from_the_other_side_of_a_talk(tmp_path: Path) -> None:
    turned = other_side(replace(TALKS[0], partner_persona=("i am the partner .",)))

    found = made("other", *TALKS, turned, folder=tmp_path)

    assert personas(found)[0] == ("i am the partner .",)
    assert personas(found)[-1] == TALKS[0].persona
    assert found.known == 2


def test_the_other_side_may_stand_in_the_file_without_candidates(tmp_path: Path) -> None:
    turned = other_side(replace(TALKS[0], partner_persona=("i am the partner .",)))
    fbdialog.write(tmp_path / "train_self_original_no_cands.txt", [*TALKS, turned])

    assert personas(made("other", *TALKS, folder=tmp_path))[0] == ("i am the partner .",)


@pytest.mark.parametrize("condition", ["other", "revised"])
def test_a_condition_whose_data_is_absent_says_which_file_it_needs(
    condition: str, tmp_path: Path
) -> None:
    found = shown(condition, Split("train", tuple(TALKS), tmp_path))
    assert isinstance(found, Absent)
    assert {"other": "train_other_original.txt", "revised": "train_self_revised.txt"}[
        condition
    ] in found.reason


def test_revised_personas_belong_to_the_same_talks(tmp_path: Path) -> None:
    revised = [replace(one, persona=(f"rewritten {one.id}",)) for one in TALKS]
    fbdialog.write(tmp_path / "train_self_revised.txt", reversed(revised))
    assert personas(made("revised", *TALKS, folder=tmp_path))[1] == ("rewritten t1",)

    fbdialog.write(tmp_path / "train_self_revised.txt", [talk("z", persona="i am nobody .")])
    found = shown("revised", Split("train", tuple(TALKS), tmp_path))
    assert isinstance(found, Absent)
    assert "none of the train file's talks" in found.reason


def test_a_long_list_holds_the_short_one_and_the_reply_once() -> None:
    talks = toy()
    lists = listed(talks, counts=(5, 20, 40), seed=0)

    for place, one in enumerate(talks):
        for number, example in enumerate(one.examples):
            found = {count: lists[count][place].examples[number].candidates for count in lists}
            assert set(found[5]) < set(found[20]) < set(found[40])
            assert set(found[20]) == set(example.candidates)
            for count, texts in found.items():
                plain = [normalise(text) for text in texts]
                assert len(set(plain)) == count
                assert plain.count(normalise(example.replies[0])) == 1


def test_a_set_without_lists_is_given_some_and_doubles_are_replaced() -> None:
    talks = toy()
    bare = [
        replace(one, examples=tuple(replace(it, candidates=()) for it in one.examples))
        for one in talks
    ]
    assert all(
        len(it.candidates) == 10
        for one in listed(bare, counts=(10,), seed=0)[10]
        for it in one.examples
    )

    double = replace(
        talks[0].examples[0], candidates=("no", "No!", talks[0].examples[0].replies[0])
    )
    own = [replace(talks[0], examples=(double,)), *talks[1:]]
    plain = [normalise(it) for it in listed(own, counts=(3,), seed=0)[3][0].examples[0].candidates]
    assert len(set(plain)) == 3
    assert "no" in plain


def test_too_few_replies_for_so_long_a_list() -> None:
    with pytest.raises(UsageError, match="lists of 200 need more"):
        listed(toy(), counts=(20, 200), seed=0)


def test_the_files_of_a_condition_hold_its_personas(toy_data: Path, tmp_path: Path) -> None:
    source = read(toy_data, split="valid", counts=(5, 30), seed=0)

    found = prepare("none", source, to=tmp_path / "none")

    assert isinstance(found, Prepared)
    assert (found.known, found.dialogues) == (50, 50)
    train = load(found.folder / "train_self_original.txt")
    assert [one.examples for one in train] == [one.examples for one in toy()]
    assert not any(one.persona for one in train)
    assert {
        count: len(load(path)[0].examples[0].candidates) for count, path in found.tests.items()
    } == {5: 5, 30: 30}


def test_an_absent_condition_leaves_no_files(toy_data: Path, tmp_path: Path) -> None:
    source = read(toy_data, split="valid", counts=(5,), seed=0)
    assert isinstance(prepare("revised", source, to=tmp_path / "revised"), Absent)
    assert not (tmp_path / "revised").exists()


def test_a_folder_without_the_split_is_refused(toy_data: Path) -> None:
    with pytest.raises(UsageError, match="test_self_original"):
        read(toy_data, split="test", counts=(5,), seed=0)


def test_every_condition_has_a_maker(tmp_path: Path) -> None:
    for condition in CONDITIONS:
        assert shown(condition, Split("train", tuple(TALKS), tmp_path))
