"""The sidecar: records written as they come, read strictly, known again by their hash."""

import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.errors import UsageError
from harness.records import Record, Writer, beside, beside_report, dumped, read
from harness.report import Sidecar

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = Draft202012Validator(json.loads((DOCS / "records.schema.json").read_text("utf-8")))

HITS = Record("d1", 0, "hi", "hello", 0.0, 1.0, answer="bye", rank=3)
PPL = Record("d1", 1, "hi", "hello you", math.inf, 1.0, words=(("hello", math.inf), ("you", None)))

NUMBERS = st.floats(0, allow_nan=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
RECORDS = st.builds(
    Record,
    dialogue=TEXTS,
    example=st.integers(0, 1000),
    partner=TEXTS,
    given=TEXTS,
    value=NUMBERS,
    weight=st.floats(0, 1e9),
    answer=st.none() | TEXTS,
    rank=st.none() | st.integers(1, 1000),
    words=st.none() | st.lists(st.tuples(TEXTS, st.none() | NUMBERS), max_size=4).map(tuple),
)


def test_a_line_is_canonical() -> None:
    assert dumped(HITS) == (
        b'{"answer":"bye","dialogue":"d1","example":0,"given":"hello","partner":"hi","rank":3,'
        b'"schema":1,"value":0.0,"weight":1.0}\n'
    )
    assert json.loads(dumped(PPL))["words"] == [["hello", None], ["you"]]


@given(RECORDS)
def test_any_record_keeps_the_published_schema(record: Record) -> None:
    SCHEMA.validate(json.loads(dumped(record)))


@given(st.lists(RECORDS, max_size=3))
def test_any_records_survive_their_file(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    path = tmp_path_factory.mktemp("records") / "x.jsonl"
    with Writer(path) as write:
        for record in records:
            write(record)

    assert list(read(path)) == records
    assert write.sidecar == Sidecar(
        "x.jsonl", hashlib.sha256(path.read_bytes()).hexdigest(), len(records)
    )
    assert beside_report(path.with_name("report.json"), write.sidecar) == path


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_run() -> None:
    assert json.loads(dumped(Record("d", 0, "\ud800", "x", 0.0, 1.0)))["partner"] == "?"


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def run() -> None:
        with Writer(tmp_path / "x.jsonl") as write:
            write(HITS)
            raise OSError("the agent's own")

    with pytest.raises(OSError, match="the agent's own"):
        run()

    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_written_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"), Writer(tmp_path / "no" / "x.jsonl"):
        pass


def test_a_record_that_could_not_be_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.records.MAX_LINE_BYTES", 200)

    with (
        pytest.raises(UsageError, match="'d9', reply 3 is too long"),
        Writer(tmp_path / "x.jsonl") as write,
    ):
        write(Record("d9", 2, "x" * 500, "", 0.0, 1.0))


LINE = json.loads(dumped(HITS))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], r"the document is not an object: a list"),
        ({**LINE, "schema": 2}, "schema is not one of 1: 2"),
        ({**LINE, "example": "0"}, 'example is not a whole number: "0"'),
        ({**LINE, "value": "0"}, 'value is not a number: "0"'),
        ({**LINE, "weight": -1}, "weight is below 0: -1"),
        ({**LINE, "rank": 0}, "rank is not a place from 1: 0"),
        ({**LINE, "answer": None}, "answer is not text: null"),
        ({**LINE, "words": [[]]}, r"words\[0\] is not a word with its loss: a list"),
        ({**LINE, "words": [["a", 1, 2]]}, r"words\[0\] has 3 items; at most 2"),
        ({**LINE, "words": [["a", "b"]]}, r'words\[0\]\[1\] is not a number: "b"'),
        ({**LINE, "more": 1}, 'the document has an unknown key: "more"'),
        ({key: LINE[key] for key in LINE if key != "given"}, "given is missing"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, document: object, reason: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(dumped(HITS) + json.dumps(document).encode() + b"\n")
    records = read(path)

    assert next(records) == HITS
    with pytest.raises(UsageError, match=rf"x\.jsonl:2: {reason}"):
        next(records)
    assert not SCHEMA.is_valid(document)


def test_what_is_no_json_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"schema"')

    with pytest.raises(UsageError, match=r"x\.jsonl:1: not JSON at line 1, column 10"):
        list(read(path))


@pytest.mark.parametrize(
    ("report", "records"),
    [("report.json", "report.examples.jsonl"), ("out/run", "out/run.examples.jsonl")],
)
def test_records_stand_beside_their_report(report: str, records: str) -> None:
    assert beside(report) == Path(records)


def test_a_file_that_was_changed_is_not_taken_for_the_reports(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.jsonl") as write:
        write(HITS)
    with (tmp_path / "x.jsonl").open("ab") as file:
        file.write(dumped(PPL))

    with pytest.raises(UsageError, match=r"x\.jsonl is not the file .* its sha256 differs"):
        beside_report(tmp_path / "report.json", write.sidecar)


def test_a_file_that_is_gone_is_missed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jsonl is not beside the report"):
        beside_report(tmp_path / "report.json", Sidecar("gone.jsonl", "0" * 64, 1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot read folder: Is a directory"):
        beside_report(tmp_path / "report.json", Sidecar("folder", "0" * 64, 1))
