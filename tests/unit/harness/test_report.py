"""The result document: its JSON, its schema, what a damaged one is told, its file."""

import json
import math
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.errors import UsageError
from harness.report import Measure, Report, Score, Sidecar, Signature, Total, finite

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCHEMA = Draft202012Validator(json.loads((DOCS / "report.schema.json").read_text("utf-8")))
DATA = "0123456789abcdef" * 4

HITS_AT_5 = Measure("hits@5", 0.5, 0.4, 0.6, 100, "fraction", True, ((1.0, 2.0), (0.0, 1.0)))


def report(**changes: Any) -> Report:
    facts = {
        "track": "ppl",
        "score": Score(20.5, 18.0, 23.0, 100),
        "signature": str(Signature("ppl", DATA, zero="infinite", vocabulary=DATA)),
        "sandbox": "docker",
        "totals": (Total(3.5, 2.0), Total(1.0, 1.0)),
        "tokens": 3,
        "unknown": 1,
        "vocabulary": 4487,
        "seconds": 1.5,
        "agent": {"protocol": "1.0"},
        "measures": (HITS_AT_5,),
        "sidecar": Sidecar("report.examples.jsonl", DATA, 100),
    }
    return Report(**{**facts, **changes})


def test_signatures_say_how_a_score_was_made_in_a_fixed_order() -> None:
    assert str(Signature("hits", DATA, k=1, candidates=20, harness="0.1.0")) == (
        "track:hits|k:1|rule:rostrum1|tok:answer|cands:20|data:0123456789ab|seed:0|harness:0.1.0"
    )
    assert str(Signature("ppl", DATA, zero="infinite", vocabulary="f" * 64, harness="0.1.0")) == (
        "track:ppl|rule:rostrum1|tok:official|zero:infinite|data:0123456789ab|vocab:ffffffffffff|seed:0"
        "|harness:0.1.0"
    )


def test_a_report_survives_its_json() -> None:
    document = json.loads(report().dumps())

    assert Report.from_json(document) == report()
    assert document["schema"] == 2
    assert document["score"] == {"value": 20.5, "low": 18.0, "high": 23.0, "n": 100}


def test_infinity_is_null_with_a_note() -> None:
    endless = report(score=Score(math.inf, 30.0, math.inf, 5), totals=(Total(math.inf, 1.0),) * 2)
    document = json.loads(endless.dumps())

    assert document["score"] == {
        "value": None,
        "low": 30.0,
        "high": None,
        "n": 5,
        "note": "infinite",
    }
    assert Report.from_json(document) == endless


@pytest.mark.parametrize(
    ("low", "high", "note"),
    [
        (1.0, math.inf, "infinite"),
        (math.inf, math.inf, "infinite"),
        (None, None, "infinite, no interval"),
    ],
)
def test_a_measure_without_an_end_survives_too(
    low: float | None, high: float | None, note: str
) -> None:
    endless = Measure("x", math.inf, low, high, 1, "per word", False, ((math.inf,), (1.0,)))
    document = json.loads(report(measures=(endless,)).dumps())

    assert document["measures"][0]["note"] == note
    assert Report.from_json(document).measures == (endless,)
    SCHEMA.validate(document)


def test_a_document_of_schema_1_is_read() -> None:
    document = report().to_json()
    del document["measures"], document["sidecar"]
    old = {**document, "schema": 1}

    assert Report.from_json(old) == report(measures=(), sidecar=None)
    SCHEMA.validate(old)


FLOATS = st.floats(0, allow_nan=False)
COUNTS = st.integers(0, 2**53 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
SCORES = st.builds(Score, FLOATS, FLOATS, FLOATS, COUNTS)
TOTALS = st.builds(Total, FLOATS, st.floats(0, 1e9))
SIDECARS = st.builds(
    Sidecar, st.from_regex(r"[a-z]{1,9}\.jsonl", fullmatch=True), st.just(DATA), COUNTS
)


@st.composite
def measures(draw: st.DrawFn, dialogues: int) -> Measure:
    """Any measure of a run over so many dialogues."""
    bounds = draw(st.none() | st.tuples(FLOATS, FLOATS))
    width = draw(st.integers(0, 3))
    row = st.tuples(*[st.floats(allow_nan=False, min_value=-1e9)] * width)
    return Measure(
        name=draw(TEXTS),
        value=draw(FLOATS),
        low=bounds and bounds[0],
        high=bounds and bounds[1],
        n=draw(COUNTS),
        unit=draw(TEXTS),
        higher_is_better=draw(st.none() | st.booleans()),
        totals=tuple(draw(st.lists(row, min_size=dialogues, max_size=dialogues))),
        signature=draw(st.none() | TEXTS),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report."""
    totals = tuple(draw(st.lists(TOTALS, max_size=4)))
    return Report(
        track=draw(st.sampled_from(("hits", "f1", "ppl"))),
        score=draw(SCORES),
        signature=draw(TEXTS),
        sandbox=draw(st.sampled_from(("in-process", "trusted", "bubblewrap", "docker"))),
        totals=totals,
        tokens=draw(st.none() | COUNTS),
        unknown=draw(st.none() | COUNTS),
        vocabulary=draw(st.none() | COUNTS),
        seconds=draw(st.floats(0, 1e9)),
        agent=draw(st.dictionaries(TEXTS, TEXTS, max_size=3)),
        measures=tuple(draw(st.lists(measures(len(totals)), max_size=2))),
        sidecar=draw(st.none() | SIDECARS),
    )


@given(reports())
def test_any_report_survives_and_keeps_the_published_schema(made: Report) -> None:
    document = json.loads(made.dumps())

    SCHEMA.validate(document)
    assert Report.from_json(document) == made


SCORE = {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
HITS = report().to_json()["measures"][0]
SIDE = {"file": "x.jsonl", "sha256": DATA, "records": 1}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"schema": 3}, "this is a report of schema 3; 1 to 2 are read"),
    ({"schema": True}, "this is not a report of schema 2"),
    ({"track": "bleu"}, 'track is not one of hits, f1, ppl: "bleu"'),
    ({"sandbox": None}, "sandbox is not one of in-process, trusted, bubblewrap, docker: null"),
    ({"score": {}}, r"score\.(value|low|high|n) is missing"),
    ({"score": 3}, "score is not an object: 3"),
    ({"score": {**SCORE, "low": None}}, r"score\.low is not a number: null"),
    ({"score": {**SCORE, "low": True}}, r"score\.low is not a number: true"),
    ({"score": {**SCORE, "n": 1.5}}, r"score\.n is not a whole number: 1\.5"),
    ({"score": {**SCORE, "n": -1}}, r"score\.n is not between 0 and"),
    ({"score": {**SCORE, "note": "big"}}, r'score\.note is not one of infinite: "big"'),
    ({"signature": 3}, "signature is not text: 3"),
    ({"signature": "x" * 1001}, "signature has 1001 characters; at most 1000 are read"),
    ({"totals": {}}, "totals is not a list: an object"),
    ({"totals": [[1]]}, r"totals\[0\] is not a pair of value and weight: a list"),
    ({"totals": [[1, 2, 3]]}, r"totals\[0\] has 3 items; at most 2 are read"),
    ({"totals": [[1, 2], [1, -2]]}, r"totals\[1\]\[1\] is below 0: -2"),
    ({"tokens": "3"}, 'tokens is not a whole number: "3"'),
    ({"seconds": -1}, "seconds is below 0"),
    ({"agent": {"a": 1}}, r"agent\.a is not text: 1"),
    ({"agent": {str(n): "" for n in range(101)}}, "agent has 101 keys; at most 100"),
    ({"measures": None}, "measures is not a list: null"),
    ({"measures": [HITS, HITS, {**HITS, "low": "x"}]}, r'measures\[2\]\.low is not a number: "x"'),
    ({"measures": [{**HITS, "low": None}]}, r"measures\[0\] has one end of an interval"),
    ({"measures": [{**HITS, "value": None}]}, r"measures\[0\]\.value is not a number: null"),
    (
        {"measures": [{**HITS, "note": "infinite, no interval"}]},
        r"measures\[0\] has figures beside",
    ),
    (
        {"measures": [{**HITS, "higher_is_better": 1}]},
        r"measures\[0\]\.higher_is_better is not true or false: 1",
    ),
    ({"measures": [{**HITS, "more": 1}]}, r'measures\[0\] has an unknown key: "more"'),
    ({"sidecar": {}}, r"sidecar\.\w+ is missing"),
    ({"sidecar": {**SIDE, "file": "../x"}}, r"sidecar\.file is not the plain name of a file"),
    ({"sidecar": {**SIDE, "file": ".."}}, r"sidecar\.file is not the plain name of a file"),
    ({"sidecar": {**SIDE, "sha256": "abc"}}, r"sidecar\.sha256 is not 64 hex digits"),
    ({"surprise": 1}, 'the document has an unknown key: "surprise"'),
]

BEYOND_THE_SCHEMA: list[tuple[dict[str, Any], str]] = [
    ({"totals": [[1, 2]]}, r"measures\[0\]\.totals has 2 rows for 1 dialogues"),
    (
        {"measures": [{**HITS, "totals": [[1.0], [1.0, 2.0]]}]},
        r"measures\[0\]\.totals has rows of different widths",
    ),
    ({"score": {**SCORE, "value": math.inf}}, r"score\.value is not a finite number"),
    ({"score": {**SCORE, "value": 10**400}}, r"score\.value is not a finite number"),
    ({"signature": "\ud800"}, "signature holds half a surrogate pair"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG + BEYOND_THE_SCHEMA)
def test_a_damaged_report_is_told_which_part(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=f"^report.json: {reason}") as caught:
        Report.from_json({**report().to_json(), **change}, name="report.json")

    assert caught.value.code == "bad_report"


@pytest.mark.parametrize(("change", "reason"), WRONG)
def test_the_published_schema_refuses_it_too(change: dict[str, Any], reason: str) -> None:
    assert not SCHEMA.is_valid({**report().to_json(), **change})


@pytest.mark.parametrize("key", sorted(report().to_json()))
def test_every_field_must_be_there(key: str) -> None:
    document = {name: value for name, value in report().to_json().items() if name != key}

    assert not SCHEMA.is_valid(document)
    with pytest.raises(UsageError):
        Report.from_json(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(sorted(report().to_json())))
def test_no_document_at_all_ends_in_anything_but_our_error(value: object, key: str) -> None:
    for document in (value, {**report().to_json(), key: value}):
        with suppress(UsageError):
            Report.from_json(document)


def test_what_is_no_figure_is_never_written() -> None:
    with pytest.raises(ValueError, match="nan"):
        report(score=Score(math.nan, 0.0, 1.0, 1)).dumps()
    with pytest.raises(ValueError, match="-inf"):
        finite(-math.inf)
    with pytest.raises(ValueError, match="one end"):
        report(measures=(Measure("x", 1.0, None, 1.0, 1, "words", None),)).dumps()


def test_a_report_is_kept_in_a_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    report().save(path)

    assert Report.load(path) == report()
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


def test_a_report_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    with pytest.raises(ValueError, match="not JSON compliant"):
        report(seconds=math.nan).save(path)
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        report().save(tmp_path / "none" / "report.json")

    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON at line 1, column 1"),
        (b'{\n "schema": 2,,', "not JSON at line 2, column 14"),
        (b"[" * 100_000, "not JSON that can be read: it is nested too deeply"),
        (b"\xff", "not UTF-8 at byte 1"),
        (b'{"schema": NaN}', "NaN is not JSON"),
        (b'{"schema": 2, "schema": 2}', 'the key "schema" stands twice'),
        (b'{"schema": ' + b"9" * 5000 + b"}", "not JSON that can be read"),
        (b"[]", "this is not a report of schema 2"),
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=f"^report.json: {reason}"):
        Report.load(path)


def test_a_file_is_read_only_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    report().save(path)
    monkeypatch.setattr("harness.report.MAX_BYTES", 100)

    with pytest.raises(UsageError, match="a report is at most 100 bytes"):
        Report.load(path)
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        Report.load(tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"cannot read .*: Is a directory"):
        Report.load(tmp_path)
