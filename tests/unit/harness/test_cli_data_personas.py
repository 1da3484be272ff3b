"""`rostrum data personas` as a person runs it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.data_personas import personas
from harness.data import jsonl
from harness.data.personas import told
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError


def talk(number: int, *, said: str) -> Dialogue:
    own = (f"i am no{number} .", f"I like {number}ball .")
    return Dialogue(f"talk-{number}", own, (), (Example(("hi",), (said,)),))


TELLING = [talk(number, said=f"{number}ball is fun") for number in range(60)]
ODD = talk(60, said="no5 and 5ball are the best")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    jsonl.write(tmp_path / "talks.jsonl", [*TELLING, ODD])
    return tmp_path / "talks.jsonl"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(personas, [str(one) for one in arguments], catch_exceptions=False)


def test_it_says_how_well_personas_are_told_and_which_are_not(file: Path) -> None:
    lines = run(file, "--others", 60, "--examples", 1).output.splitlines()

    assert [line.split("  ")[0].strip() for line in lines] == [
        *(str(file), "personas", "lineup", "persona@1", "persona MRR"),
        *("dialogue", "persona", "taken for"),
    ]
    assert "61 different in 61 dialogues" in lines[1]
    assert "each among 61, none that shares a sentence with it or another" in lines[2]
    assert "98.36 % (95 % interval 95.08 to 100.00), 61 dialogues" in lines[3]
    assert "61, its persona at 2 of 61" in lines[5]
    assert "i am no5 . I like 5ball ." in lines[7]


def test_exchanged_talks_tell_as_much_as_chance(file: Path) -> None:
    found = told([*TELLING, ODD], seed=3)

    assert found.chance == 0.05
    assert found.control is not None
    assert found.control.value == pytest.approx(0.05)  # nobody tells of anybody else
    assert found.control.n > 50
    assert "5.00 % (95 % interval" in run(file).output
    assert "; chance 5 %" in run(file).output


def test_where_everybody_stands_in_every_lineup_no_talk_can_be_exchanged(file: Path) -> None:
    assert told([*TELLING, ODD], others=60).control is None
    assert "exchanged" not in run(file, "--others", 60).output


def test_personas_that_share_sentences_are_counted_as_groups(tmp_path: Path) -> None:
    def worded(number: int) -> Dialogue:
        own = (f"i am no{number % 10} .", f"{number} words", f"i like it {number // 40} times")
        return replace(talk(number, said="well"), persona=own)

    talks = [worded(number) for number in range(40)]
    jsonl.write(tmp_path / "apart.jsonl", [replace(one, persona=one.persona[:2]) for one in talks])
    jsonl.write(tmp_path / "one.jsonl", talks)

    output = run(tmp_path / "apart.jsonl").output

    assert "40 different in 40 dialogues, 10 groups that share sentences" in output
    assert "too few groups" in output
    with pytest.raises(UsageError, match="no persona has 19 others"):  # all are of one group
        run(tmp_path / "one.jsonl")


def test_json_holds_the_same(file: Path) -> None:
    document = json.loads(run(file, "--json", "--examples", 1, "--others", 60).stdout)

    assert document["file"] == str(file)
    assert (document["dialogues"], document["personas"], document["among"]) == (61, 61, 61)
    assert document["groups"] == 61
    assert document["control"] is None
    assert [one["name"] for one in document["measures"]] == ["persona@1", "persona_mrr"]
    assert document["measures"][0]["value"] == pytest.approx(60 / 61)
    assert document["examples"] == [
        {
            "number": 61,
            "dialogue": "talk-60",
            "rank": 2,
            "persona": list(ODD.persona),
            "taken_for": list(TELLING[5].persona),
        }
    ]


def test_those_told_worst_come_first_and_those_told_do_not_come() -> None:
    silent = talk(61, said="well")
    found = told([*TELLING, silent, ODD], others=61)

    assert [one.dialogue.id for one in found.hardest(9)] == ["talk-60", "talk-61"]
    assert found.hardest(0) == []
    assert found.looked[0].best == TELLING[0].persona


def test_of_one_who_says_nothing_it_is_said_that_others_are_as_likely(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "talks.jsonl", [*TELLING, talk(60, said="well")])

    output = run(tmp_path / "talks.jsonl").output

    assert "dialogue  61, its persona as likely as others" in output
    assert "taken for" not in output


def test_steering_characters_are_shown_escaped(tmp_path: Path) -> None:
    hostile = replace(ODD, persona=("i \x1b[2J am .",))
    jsonl.write(tmp_path / "hostile.jsonl", [*TELLING, hostile])

    output = run(tmp_path / "hostile.jsonl", "--others", 60).output

    assert "\x1b" not in output
    assert "\\u{1b}[2J am" in output


def test_a_file_without_personas_is_refused_with_what_to_do(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "none.jsonl", [replace(one, persona=()) for one in TELLING])

    with pytest.raises(UsageError, match=r"have no personas; name a file that has those of"):
        run(tmp_path / "none.jsonl")


def test_too_few_personas_are_refused_with_what_to_do(file: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no persona has 61 others .* has 61 that differ; give a smaller --others"
    ):
        run(file, "--others", 61)
