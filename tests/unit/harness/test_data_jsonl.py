"""The house's own file format: canonical bytes, strict reading."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import jsonl, load
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

TALK = Dialogue(
    "é1", ("i like tea .",), ("x",), (Example(("a\tb", "c"), ("d|e", "f"), ("g", "d|e"), "1"),)
)
LINE = jsonl.dumps([TALK]).decode()


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(LINE), **changes})


def example(**changes: Any) -> str:
    return changed(examples=[{**json.loads(LINE)["examples"][0], **changes}])


def test_the_canonical_bytes_are_fixed() -> None:
    assert LINE == (
        '{"examples":[{"candidates":["g","d|e"],"partner":["a\\tb","c"],"replies":["d|e","f"],'
        '"reward":"1"}],"id":"é1","partner_persona":["x"],"persona":["i like tea ."],"schema":1}\n'
    )
    assert jsonl.digest([TALK]) == (
        "3707a4d785ddf12ad502ed82e67be5d7cf72abcd18cfd54eac6a363d4410fde1"
    )


def test_what_is_written_is_read_again_under_any_name(tmp_path: Path) -> None:
    other = Dialogue("2", examples=(Example(("hi",), ("yes",)),))
    for name in ("a.jsonl", "a.data"):
        jsonl.write(tmp_path / name, [TALK, other])
        assert load(tmp_path / name) == [TALK, other]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "a dialogue is not an object"),
        ("nonsense", "Expecting value"),
        (LINE[:-3], "Expecting"),
        (LINE.strip() + "{}", "Extra data"),
        (changed(schema=2), "schema is not 1"),
        (changed(schema=True), "schema is not 1"),
        (changed(id=3), "id is not text"),
        (changed(note="x"), "a dialogue has an unknown key 'note'"),
        (changed(examples=[]), "examples is not a list with at least one item"),
        (changed(persona="abc"), "persona is not a list"),
        (changed(persona=["a", None]), "persona[1] is not text"),
        (changed(id="\ud800"), "id holds half a surrogate pair"),
        (changed(examples=[1]), "an example is not an object"),
        (example(partner=[]), "at least one partner utterance"),
        (example(replies=[]), "one reply"),
        (example(replies=["z"]), "the reply is not among the 2 candidates"),
        (example(reward=1.5), "reward is not text"),
        ('{"schema":1}', "a dialogue lacks examples, id, partner_persona, persona"),
        ('{"schema":1,"schema":1}', "a key stands twice"),
        (LINE.replace('"1"', "NaN"), "NaN is not JSON"),
        (LINE.replace('"1"', "9" * 5000), "digits"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_a_bad_line_is_refused_with_file_line_and_reason(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "bad.jsonl"
    other = jsonl.dumps([Dialogue("2", examples=(Example(("hi",), ("yes",)),))])
    path.write_bytes(other + line.encode() + b"\n")

    with pytest.raises(UsageError) as caught:
        jsonl.read(path)

    assert caught.value.message.startswith(f"{path}:2: ")
    assert reason in caught.value.message


def test_an_empty_file_a_second_id_and_bytes_that_are_not_text_are_refused() -> None:
    for lines, reason in (
        ([], "f:1: the file is empty"),
        ([LINE, LINE], "f:2: a second dialogue has the id"),
        ([b'{"\xff'], "f:1: not UTF-8 at byte 3"),
        (["\ud800"], "f:1: not UTF-8 at character 1"),
    ):
        with pytest.raises(UsageError, match=reason):
            jsonl.parse(lines, name="f")


def test_a_dialogue_over_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        file.truncate(jsonl.MAX_LINE_BYTES + 100)

    with pytest.raises(UsageError, match="a line is at most 16777216 bytes"):
        jsonl.read(path)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
TUPLES = st.lists(TEXTS, max_size=3).map(tuple)
EXAMPLES = st.builds(
    lambda partner, replies, others, reward: Example(
        partner, replies, (*others, replies[0]) if others else (), reward
    ),
    st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    TUPLES,
    st.none() | TEXTS,
)
DIALOGUES = st.builds(
    Dialogue, TEXTS, TUPLES, TUPLES, st.lists(EXAMPLES, min_size=1, max_size=3).map(tuple)
)


@given(st.lists(DIALOGUES, min_size=1, max_size=4, unique_by=lambda dialogue: dialogue.id))
def test_any_dialogues_survive_and_keep_their_digest(dialogues: list[Dialogue]) -> None:
    again = jsonl.parse(jsonl.dumps(dialogues).split(b"\n")[:-1])

    assert again == dialogues
    assert jsonl.digest(again) == jsonl.digest(dialogues)
