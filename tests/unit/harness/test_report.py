"""The result document: its JSON, its signature."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.report import Report, Score, Signature, Total

DATA = "0123456789abcdef" * 4


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
    endless = report(score=Score(math.inf, 30.0, math.inf, 5), totals=(Total(math.inf, 1.0),))
    document = json.loads(endless.dumps())

    assert document["score"] == {
        "value": None,
        "low": 30.0,
        "high": None,
        "n": 5,
        "note": "infinite",
    }
    assert Report.from_json(document) == endless


FLOATS = st.floats(0, allow_nan=False)


@given(FLOATS, FLOATS, FLOATS, st.lists(st.builds(Total, FLOATS, st.floats(0, 1e9)), max_size=4))
def test_any_numbers_survive(value: float, low: float, high: float, totals: list[Total]) -> None:
    made = report(score=Score(value, low, high, 7), totals=tuple(totals))

    assert Report.from_json(json.loads(made.dumps())) == made


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "not a report of schema 1"),
        ({"track": "bleu"}, "track or sandbox is unknown"),
        ({"sandbox": "none"}, "track or sandbox is unknown"),
        ({"score": {}}, "damaged"),
        ({"score": 3}, "damaged"),
        ({"totals": [[1]]}, "damaged"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_a_damaged_report_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        Report.from_json({**report().to_json(), **change})

    assert caught.value.code == "bad_report"


@pytest.mark.parametrize("document", [None, [], "text", {}, {"schema": 1}])
def test_what_is_no_report_is_refused(document: object) -> None:
    with pytest.raises(UsageError):
        Report.from_json(document)
