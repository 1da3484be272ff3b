"""ConvAI2's file format: what is read, what is written, what is refused and how."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import fbdialog, load
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

FILE = """\
1 your persona: i like tea .
2 your persona: i am old .
3 partner's persona: i am young .
4 __SILENCE__\thello !\t\tbye|hello !
5 how are you ?
6 still there ?\tfine|good\t1.5\tno|fine
1 next\tone
7 more\ttwo
7 again\tthree
"""


def read(text: str | bytes) -> list[Dialogue]:
    content = text.encode() if isinstance(text, str) else text
    return fbdialog.parse(content.splitlines(keepends=True), name="f.txt")


def test_a_file_is_read_into_dialogues() -> None:
    assert read(FILE) == [
        Dialogue(
            "1",
            ("i like tea .", "i am old ."),
            ("i am young .",),
            (
                Example(("__SILENCE__",), ("hello !",), ("bye", "hello !")),
                Example(
                    ("how are you ?", "still there ?"), ("fine", "good"), ("no", "fine"), "1.5"
                ),
            ),
        ),
        Dialogue("2", examples=(Example(("next",), ("one",)), Example(("more",), ("two",)))),
        Dialogue("3", examples=(Example(("again",), ("three",)),)),
    ]


def test_windows_lines_outer_spaces_and_a_missing_last_newline_do_not_matter() -> None:
    assert read("1  hi \t yes | no \t\t no| yes \r\n2 a\tb\t\t\r\n3 c\td") == [
        Dialogue(
            "1",
            examples=(
                Example(("hi",), ("yes", "no"), ("no", "yes")),
                Example(("a",), ("b",)),
                Example(("c",), ("d",)),
            ),
        )
    ]


def test_a_literal_backslash_n_is_a_line_break_as_in_the_original() -> None:
    assert read("1 one\\ntwo\tthree\n")[0].examples[0].partner == ("one\ntwo",)


def test_the_file_is_chosen_by_name_or_first_byte(tmp_path: Path) -> None:
    for name in ("a.txt", "a.data"):
        (tmp_path / name).write_text(FILE, encoding="utf-8")
        assert len(load(tmp_path / name)) == 3


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", 1, "the file is empty"),
        ("hi there\tyes\n", 1, "a line begins with a number and one space, not with 'hi there'"),
        ("1 a\tb\n\n", 2, "a line begins with a number"),
        ("1 a\tb\n2\n", 2, "a line begins with a number"),
        ("1\ta\tb\n", 1, "a line begins with a number"),
        ("-1 a\tb\n", 1, "a line begins with a number"),
        ("\u0661 a\tb\n", 1, "a line begins with a number"),
        ("0 a\tb\n", 1, "the number 0 is not from 1"),
        ("1 a\tb\n0 a\tb\n", 2, "the number 0 is not from 1"),
        (f"{'9' * 5000} a\tb\n", 1, "the number 999999999999 is not from 1"),
        ("1 \tb\n", "1:3", "no text between the number and the first tab"),
        ("1 a\tb\t\tb\tc\n", "1:10", "5 fields; at most 4"),
        ("1 a\tb|\n", "1:5", "an empty reply among several: 'b|'"),
        ("1 a\t\t\tb|c\n", "1:7", "candidates, but no reply"),
        ("1 a\t\t1\n", "1:6", "a reward, but no reply"),
        ("1 ä\tb\t\tc|d\n", "1:8", "the reply is not among the 2 candidates: 'b'"),
        ("1 a\tb|c\t\tc|d\n", "1:10", "the reply is not among the 2 candidates"),
        ("1 a\tb\n2 your persona: late .\n3 c\td\n", "2:3", "a persona line after the talk began"),
        ("1 a\n2 partner's persona: x .\n3 c\td\n", "2:3", "a persona line after the talk began"),
        ("1 your persona: x .\tb\n", "1:21", "a persona line with a reply"),
        ("1 your persona:\n2 a\tb\n", "1:3", "a persona line without a sentence"),
        ("1 just text\n", 1, "without any reply"),
        ("1 a\tb\n2 c\n", 2, "ends on a line without a reply"),
        ("1 your persona: x .\n1 a\tb\n", 1, "that begins on line 1 ends without any reply"),
        ("1 your persona: x .\t\t\t\t\n", "1:24", "5 fields; at most 4"),
        ("1 a\tb\n2 c\n1 d\te\n", 2, "ends on a line without a reply"),
        (b"1 a\tb\n2 \xff\xfe\tb\n", "2:3", "not UTF-8 at byte 3: 0xff"),
        ("\ufeff1 a\tb\n", 1, "byte-order mark"),
        (f"1 {'a' * fbdialog.MAX_LINE_BYTES}\tb\n", 1, "a line is at most 262144 bytes"),
    ],
)
def test_a_bad_line_is_refused_with_file_line_and_reason(
    tmp_path: Path, text: str | bytes, place: int | str, reason: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)

    with pytest.raises(UsageError) as caught:
        fbdialog.read(path)

    assert caught.value.message.startswith(f"{path}:{place}: ")
    assert reason in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("bad_data", 2)
    assert len(caught.value.message) < len(str(path)) + 200


def test_a_file_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent\.txt: No such file"):
        load(tmp_path / "absent.txt")
    with pytest.raises(UsageError, match="cannot read"):
        load(tmp_path)


def test_a_line_at_the_bound_is_read() -> None:
    text = f"1 {'a' * (fbdialog.MAX_LINE_BYTES - 4)}\tb\n"

    assert len(read(text)[0].examples[0].partner[0]) == fbdialog.MAX_LINE_BYTES - 4


def test_a_dialogue_without_a_reply_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a dialogue holds at least one reply"):
        fbdialog.write(tmp_path / "out.txt", [Dialogue("1", ("i like tea .",))])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    dialogues = read(FILE)
    fbdialog.write(tmp_path / "out.txt", dialogues)

    assert fbdialog.read(tmp_path / "out.txt") == dialogues


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (Example(("a\tb",), ("c",)), "a tab"),
        (Example(("a",), ("b|c",)), r"a \| separates"),
        (Example((" a",), ("b",)), "outer spaces"),
        (Example(("a",), ("",)), "replies that are not empty"),
        (Example(("a\\nb",), ("c",)), r"literal \\n"),
        (Example(("a",), ("b",), (), ""), "it is empty"),
        (Example((), ("b",)), "an example needs an utterance"),
        (Example(("your persona: a",), ("b",)), "read as a persona line"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(
    tmp_path: Path, example: Example, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        fbdialog.write(tmp_path / "out.txt", [Dialogue("1", examples=(example,))])

    assert "write .jsonl instead" in caught.value.message
    assert not (tmp_path / "out.txt").exists()


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
EXAMPLES = st.builds(
    lambda partner, replies, others, reward: Example(
        tuple(partner), tuple(replies), (*others, replies[0]) if others else (), reward
    ),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(TEXTS | st.just(""), max_size=3),
    st.none() | TEXTS,
)


@given(
    st.lists(
        st.tuples(st.lists(TEXTS, max_size=2), st.lists(EXAMPLES, min_size=1, max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_can_be_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[list[str], list[Example]]]
) -> None:
    dialogues = [
        Dialogue(str(number), tuple(persona), examples=tuple(examples))
        for number, (persona, examples) in enumerate(parts, 1)
    ]
    path = tmp_path_factory.mktemp("fbdialog") / "out.txt"
    try:
        fbdialog.write(path, dialogues)
    except UsageError:
        return

    assert fbdialog.read(path) == dialogues


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_no_bytes_raise_anything_but_a_usage_error(content: bytes) -> None:
    try:
        dialogues = read(content)
    except UsageError:
        return

    assert dialogues
    assert all(dialogue.examples for dialogue in dialogues)
