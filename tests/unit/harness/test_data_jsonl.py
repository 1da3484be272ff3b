"""The house's own file format: canonical bytes, strict reading."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import jsonl, load
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from tests.conftest import PROJECT

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
        ("[]", "a dialogue is not an object, but a list"),
        (changed(schema=2), "schema is not 1, but '2'"),
        (changed(schema=True), "schema is not 1, but 'True'"),
        (changed(schema=1.5), "schema is not 1, but '1.5'"),
        (changed(id=3), "id is not text, but a number"),
        (changed(note="x"), "a dialogue has an unknown key 'note'; known: examples, id, "),
        (changed(examples=[]), "examples is not a list with at least one item"),
        (changed(persona="abc"), "persona is not a list, but text"),
        (changed(persona=["a", None]), "persona[1] is not text, but null"),
        (changed(persona=[{}]), "persona[0] is not text, but an object"),
        (changed(persona=[False]), "persona[0] is not text, but true or false"),
        (changed(id="\ud800"), "id holds half a surrogate pair"),
        (example(reward="\udc00"), "examples[0] holds half a surrogate pair"),
        (changed(examples=[1]), "examples[0] is not an object, but a number"),
        (example(partner=[]), "examples[0]: an example needs at least one partner utterance"),
        (example(replies=[]), "examples[0]: an example needs at least one partner utterance"),
        (example(replies=["z"]), "the reply is not among the 2 candidates: 'z'"),
        (example(replies=["d|e", 2]), "examples[0].replies[1] is not text, but a number"),
        (example(reward=1.5), "examples[0].reward is not text, but a number"),
        ('{"schema":1}', "a dialogue lacks examples, id, partner_persona, persona"),
        ('{"schema":1,"schema":1}', "a key stands twice: 'schema'"),
        (LINE.replace('"1"', "NaN"), "NaN is not JSON"),
        (LINE.replace('"1"', "9" * 5000), "the number 999999999999... has 5000 digits"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_a_bad_line_is_refused_with_file_line_and_reason(
    tmp_path: Path, line: str, reason: str
) -> None:
    assert f": {reason}" in f": {refused(tmp_path, line, place='2: ')}"


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("", 1, "not JSON: Expecting value, found the end of the line"),
        ("nonsense", 1, "not JSON: Expecting value, found 'nonsense'"),
        (LINE[:-3], len(LINE) - 2, "not JSON: Expecting value, found the end of the line"),
        (LINE.strip() + "{}", len(LINE), "not JSON: Extra data, found '{}'"),
        ('{"é": "\t"}', 8, "not JSON: Invalid control character at, found"),
    ],
)
def test_what_is_not_json_is_refused_with_its_column(
    tmp_path: Path, line: str, column: int, reason: str
) -> None:
    assert reason in refused(tmp_path, line, place=f"2:{column}: ")


def refused(folder: Path, line: str, *, place: str) -> str:
    """The reason against a file whose second line this is; it stands after FILE and `place`."""
    path = folder / "bad.jsonl"
    other = jsonl.dumps([Dialogue("2", examples=(Example(("hi",), ("yes",)),))])
    path.write_bytes(other + line.encode() + b"\n")
    with pytest.raises(UsageError) as caught:
        jsonl.read(path)
    assert caught.value.message.startswith(f"{path}:{place}")
    return caught.value.message.removeprefix(f"{path}:{place}")


def test_an_empty_file_a_second_id_and_bytes_that_are_not_text_are_refused() -> None:
    for lines, reason in (
        ([], "f:1: the file is empty"),
        ([LINE, LINE], "f:2: a second dialogue has the id"),
        ([b'{"\xc3\xa4\xff'], "f:1:4: not UTF-8 at byte 5: 0xff"),
        (["a\ud800"], "f:1:2: not UTF-8 at character 2"),
    ):
        with pytest.raises(UsageError, match=reason):
            jsonl.parse(lines, name="f")


@pytest.mark.parametrize(
    ("dialogues", "reason"),
    [
        ([], "there is nothing to write to"),
        ([TALK, TALK], "the dialogue 'é1': a second dialogue has the id 'é1'"),
        ([Dialogue("1")], "the dialogue '1': it has no example"),
        ([Dialogue("1", examples=(Example((), ("a",)),))], "at least one partner utterance"),
        ([Dialogue("1", ("\ud800",), (), TALK.examples)], "it holds half a surrogate pair"),
        ([Dialogue("1", ("x" * 2**24,), (), TALK.examples)], "it is longer than 16777216 bytes"),
    ],
)
def test_what_would_not_be_read_again_is_not_written(
    tmp_path: Path, dialogues: list[Dialogue], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        jsonl.write(tmp_path / "out.jsonl", dialogues)

    assert not list(tmp_path.iterdir())


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


SCHEMA = json.loads((PROJECT / "docs" / "dialogue.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@given(DIALOGUES)
def test_whatever_is_written_follows_the_schema_in_the_docs(dialogue: Dialogue) -> None:
    VALIDATOR.validate(json.loads(jsonl.dumps([dialogue])))


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"schema":1}',
        changed(schema=2),
        changed(schema=True),
        changed(id=3),
        changed(note="x"),
        changed(examples=[]),
        changed(persona="abc"),
        changed(partner_persona=[1]),
        example(partner=[]),
        example(replies=[]),
        example(reward=1.5),
        example(more=1),
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(line: str) -> None:
    assert not VALIDATOR.is_valid(json.loads(line))
    with pytest.raises(UsageError):
        jsonl.parse([line])
