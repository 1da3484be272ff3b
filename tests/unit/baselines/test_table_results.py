"""A row of the table: what is read from reports and checkpoints, and bars that are never hidden."""

import json
from pathlib import Path
from typing import Any

import pytest
from toyset import toy

from baselines.table import page, results
from baselines.table.page import Facts
from baselines.table.results import Result, verdicts
from baselines.table.rows import DISTINCT, SECONDS, Bar, Published, Row
from harness.dialogue import Context
from harness.evaluation import evaluate
from harness.records import Writer, beside
from harness.report import Measure


def measure(name: str, value: float, *, low: float | None = None) -> Measure:
    high = None if low is None else 2 * value - low
    unit = "per word" if name == "ppl" else "fraction"
    return Measure(name, value, low, high, 1450, unit, higher_is_better=name != "ppl")


def row(name: str, *bars: Bar, **further: Any) -> Row:  # Any: fields of Row
    return Row(name=name, baseline="ranker", bars=bars, **further)


def result(of: Row, **values: Any) -> Result:  # Any: measures by name, or fields of Result
    names = {"hits": "hits@1", "ppl": "ppl", "f1": "f1"}
    found = {
        names[key]: measure(names[key], values.pop(key), low=None) for key in names if key in values
    }
    return Result(row=of, measures=found, **values)


FACTS = Facts(data="spc", split="test", seed=0, threads=2)


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("hits@1", at_least=0.6), True),
        (Bar("hits@1", at_least=0.62), True),
        (Bar("hits@1", at_least=0.63), False),
        (Bar("ppl", at_most=9.5), True),
        (Bar("ppl", at_most=9.4), False),
        (Bar(SECONDS, at_most=60), False),
        (Bar("f1", at_least=0.28), None),
        (Bar("hits@1", at_least=0.01, below="other"), True),
        (Bar("hits@1", at_least=0.04, below="other"), False),
        (Bar("hits@1", at_least=0.01, below="nobody"), None),
    ],
)
def test_a_bar_is_met_or_not_or_not_measured(bar: Bar, met: bool | None) -> None:
    own = result(row("own", bar), hits=0.62, ppl=9.5, seconds=61.0)
    other = result(row("other"), hits=0.65)

    (verdict,) = verdicts(own, {"own": own, "other": other})

    assert verdict.met is met
    assert (verdict.reached is None) == (met is None)


def test_an_infinite_perplexity_misses_its_bar() -> None:
    own = result(row("own", Bar("ppl", at_most=9.5)), ppl=float("inf"))
    assert [one.met for one in verdicts(own, {})] == [False]
    assert "| own | perplexity at most 9.500 | infinite | **not met** |" in page.page([own], FACTS)
    assert results.as_json(own, {})["bars"][0]["reached"] is None


def test_a_miss_a_failure_and_what_nobody_measured_all_stand_in_the_page() -> None:
    text = page.page(
        [
            result(row("good", Bar("hits@1", at_least=0.6)), hits=0.62),
            result(row("bad", Bar("hits@1", at_least=0.7)), hits=0.62),
            result(row("less", Bar("hits@1", at_least=0.5, below="good")), hits=0.1),
            Result(
                row=row("broken", Bar(SECONDS, at_most=5)), measures={}, failed="training failed"
            ),
        ],
        FACTS,
    )

    assert "| good | hits@1 at least 60.00 % | 62.00 % | met |" in text
    assert "| bad | hits@1 at least 70.00 % | 62.00 % | **not met** |" in text
    assert "| less | hits@1 below good by at least 50.00 % | 52.00 % | met |" in text
    assert "| broken | training at most 5 s | - | not measured |" in text
    assert "**broken failed:** training failed." in text


def test_the_figures_stand_in_columns_with_intervals() -> None:
    one = Result(
        row=row("ranker-bow", published=(Published("hits@1", 0.5, "a paper"),)),
        measures={
            "hits@1": measure("hits@1", 0.62, low=0.6),
            "ppl": measure("ppl", 9.5),
            DISTINCT: measure(DISTINCT, 0.5),
        },
        seconds=58.25,
        parameters=1_234_567,
        size=5_300_000,
    )
    shared = Result(row=row("by-mean", like="ranker-bow"), measures={}, size=51_000)

    text = page.page([one, shared], FACTS)

    assert text.startswith("| baseline | hits@1 | different replies | perplexity | examples |")
    assert (
        "| ranker-bow | 62.00 (60.00–64.00) | 50.00 | 9.500 | 1,450 | 58.2 s | 1,234,567 | 5.3 MB |"
        in text
    )
    assert "| by-mean | - | - | - | - | as ranker-bow | - | 51 kB |" in text
    assert "Scored on test of spc; seed 0, 2 threads" in text
    assert "| ranker-bow | hits@1 | 62.00 % | 50.00 % | a paper |" in text


def test_a_table_that_trained_less_says_so() -> None:
    facts = Facts(data="spc", split="test", seed=0, threads=2, further=("--updates", "5"))
    assert "trained with --updates 5" in page.page([], facts)


def test_parameters_are_counted_from_the_head_of_the_weights(tmp_path: Path) -> None:
    head = {
        "__metadata__": {"format": "pt"},
        "table": {"dtype": "F32", "shape": [7, 3], "data_offsets": [0, 84]},
        "scale": {"dtype": "F32", "shape": [], "data_offsets": [84, 88]},
    }
    text = json.dumps(head).encode()
    (tmp_path / "model.safetensors").write_bytes(
        len(text).to_bytes(8, "little") + text + b"\0" * 88
    )

    assert results.parameters(tmp_path) == 22
    assert results.size(tmp_path) == 8 + len(text) + 88
    assert results.parameters(tmp_path / "nothing") is None


class Says:
    """Says one of so many things."""

    def __init__(self, things: int) -> None:
        self.things = things

    def respond(self, contexts: list[Context]) -> list[str]:
        return [f"thing {len(one.turns[-1].text) % self.things}" for one in contexts]


def test_where_a_row_was_trained_stands_with_its_time(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"trained": {"device": "cuda"}}))
    one = result(row("own"), hits=0.6, seconds=7.0, trained=results.trained(tmp_path))
    assert "| 7 s (cuda) |" in page.page([one], FACTS)
    assert results.as_json(one, {})["trained"] == {"device": "cuda"}
    for text in ("no json", "[]", '{"trained": 3}'):
        (tmp_path / "config.json").write_text(text)
        assert results.trained(tmp_path) == {}
    assert results.trained(tmp_path / "nothing") == {}


def test_different_replies_are_counted_from_the_records(tmp_path: Path) -> None:
    path = tmp_path / "f1.json"
    with Writer(beside(path)) as record:
        report = evaluate(Says(4), toy(), "f1", record=record, profile=True)

    found = results.measured(report, path=path)

    assert found[DISTINCT].value == 4 / 100
    assert found[DISTINCT].low is None
    assert next(iter(found)) == "f1"
    assert not any(one.totals for one in found.values())


def test_a_row_as_json_says_everything() -> None:
    one = result(row("own", Bar("hits@1", at_least=0.7), options=("--encoder", "bow")), hits=0.62)
    document = json.loads(json.dumps(results.as_json(one, {"own": one}), allow_nan=False))

    assert document["options"] == ["--encoder", "bow"]
    assert document["measures"]["hits@1"]["value"] == 0.62
    assert document["bars"] == [
        {
            "measure": "hits@1",
            "at_least": 0.7,
            "at_most": None,
            "below": None,
            "reached": 0.62,
            "met": False,
        }
    ]
