"""Synthetic-Persona-Chat's CSV as dialogues."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data import load, spc
from harness.data.tolerance import Tolerance
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

HEADER = "user 1 personas,user 2 personas,Best Generated Conversation\n"


def talks(text: str, **options: object) -> list[spc.Talk]:
    options.setdefault("tolerance", Tolerance())
    lines = (HEADER + text).encode().splitlines(keepends=True)
    return list(spc.parse(lines, name="f.csv", **options))  # type: ignore[arg-type]  # a test's own


def test_a_talk_is_answered_by_either_speaker() -> None:
    (talk,) = talks('"I cook.\nI sing.",I ski.,"User 1: Hi!\nUser 2: Hello.\nUser 1: Bye"\n')

    second = Dialogue(
        "1.2", ("i ski .",), ("i cook .", "i sing ."), (Example(("hi !",), ("hello .",)),)
    )
    first = Dialogue(
        "1.1",
        ("i cook .", "i sing ."),
        ("i ski .",),
        (Example(("__SILENCE__",), ("hi !",)), Example(("hello .",), ("bye",))),
    )
    assert talk.answered_by(2) == second
    assert talk.answered_by(1) == first


def test_lines_of_one_speaker_are_joined_and_stage_directions_left_out() -> None:
    (talk,) = talks('a,b,"User 1: Hi\n[They walk.]\n\nUser 1: there\nUser 2:\nUser 2: Oh"\n')

    assert talk.spoken == (spc.Spoken(1, "hi there"), spc.Spoken(2, "oh"))
    assert (talk.unspoken, talk.joined) == (2, 1)  # a speaker who says nothing does not speak


def test_speakers_in_asterisks_are_speakers() -> None:
    (talk,) = talks('a,b,"*User 1:* Hi *you*\n* User 2: Oh *"\n')

    assert talk.spoken == (spc.Spoken(1, "hi *you*"), spc.Spoken(2, "oh"))


def test_a_side_that_never_answers_is_no_dialogue() -> None:
    (talk,) = talks('a,b,"User 1: Hi"\n')

    assert talk.answered_by(2) is None
    assert talk.answered_by(1) is not None


def test_text_is_kept_as_written_if_asked() -> None:
    (talk,) = talks('I ski.,b,"User 1: He said  (""Hi!"")"\n', style="kept")

    assert talk.personas[0] == ("I ski.",)
    assert talk.spoken[0].text == 'He said ("Hi!")'
    assert spc.styled('He said ("Hi!")', style="convai2") == 'he said ( " hi ! " )'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b,"User 1: Hi"\na,b,nobody speaks\n', r"f\.csv:3: no line of the talk begins with"),
        ("a,b\n", r"f\.csv:2: fewer fields than the header"),
        ('a,b,"User 1: Hi" x\n', r"f\.csv:2: not CSV: "),
        ('a,b,"User 1: Hi\n', r"f\.csv:2: not CSV: unexpected end of data"),
        ('a,b,"User 1: ' + "x" * 140_000 + '"\n', r"f\.csv:2: a line is at most 131072 bytes"),
        ('a,b,"' + "User 1: hi there\n" * 9000 + '"\n', r"f\.csv:2: not CSV: field larger"),
    ],
)
def test_a_bad_talk_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        talks(text)


@pytest.mark.parametrize("header", ["", "a,b\n", '"a'])
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(UsageError, match=r"f\.csv:1: "):
        list(spc.parse([header], tolerance=Tolerance(), name="f.csv"))


def test_so_many_bad_talks_are_left_out_and_told() -> None:
    told: list[UsageError] = []
    text = 'a,b,nobody\na,b,"User 1: Hi"\nc\n'

    kept = talks(text, tolerance=Tolerance(2, told.append))

    assert [talk.number for talk in kept] == [2]
    assert [error.message.split(": ")[0] for error in told] == ["f.csv:2", "f.csv:4"]
    with pytest.raises(UsageError, match=r"f\.csv:4"):
        talks(text, tolerance=Tolerance(1))


def read(path: Path) -> Iterator[Dialogue]:
    for talk in spc.read(path, tolerance=Tolerance()):
        one = talk.answered_by(2)
        assert one is not None
        yield one


@pytest.mark.shared
def test_the_published_file_gives_the_shared_dialogues(shared: Path) -> None:
    folder = shared / "data" / "spc"
    expected = {
        (one.persona, one.examples)
        for split in ("train", "valid", "test")
        for one in without_candidates(folder / f"{split}_self_original.txt")
    }

    made = {
        (one.persona, one.examples) for one in read(folder / "Synthetic-Persona-Chat_valid.csv")
    }

    assert len(made) == 1000
    assert expected <= made  # three talks more: those with their speakers in asterisks
    assert len(expected) == 997


def without_candidates(path: Path) -> Iterator[Dialogue]:
    for one in load(path):
        examples = tuple(Example(e.partner, e.replies) for e in one.examples)
        yield Dialogue(one.id, one.persona, one.partner_persona, examples)
