"""What records tell: turns, the hardest examples, words."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from reportworld import saved

from harness.records import Record, beside
from harness.rendering.findings import Findings, drawn_turns, findings, gathered
from harness.report import Report
from harness.statistics import wilson


def hit(example: int, value: float, *, rank: int | None = 1, given: str = "x") -> Record:
    return Record("d", example, "hi", given, value, 1.0, answer="y", rank=rank)


def loss(example: int, words: Sequence[tuple[str, float | None]]) -> Record:
    scored = [nats for _, nats in words if nats is not None]
    return Record("d", example, "hi", "x", sum(scored), len(scored), words=tuple(words))


def test_a_turn_of_hits_is_a_share_with_wilsons_interval() -> None:
    found = gathered([hit(0, 1.0), hit(0, 0.0), hit(0, 1.0), hit(1, 1.0)], "hits", keep=0)

    first, second = (turn.measure for turn in found.turns)
    assert (first.value, first.n) == (pytest.approx(2 / 3), 3)
    assert (first.low, first.high) == wilson(2, 3)
    assert (second.value, second.low, second.high) == (1.0, None, None)
    assert [turn.number for turn in found.turns] == [1, 2]


def test_a_turn_of_ppl_is_the_perplexity_of_its_words() -> None:
    found = gathered([loss(0, [("a", 1.0)]), loss(0, [("b", 3.0), ("c", 2.0)])], "ppl", keep=0)

    assert found.turns[0].measure.value == pytest.approx(math.exp(2.0))
    assert found.turns[0].measure.low == pytest.approx(math.exp(1.0))


def test_the_hardest_come_first() -> None:
    by_rank = [hit(0, 0, rank=2), hit(1, 0, rank=None), hit(2, 0, rank=9), hit(3, 0, rank=9)]
    assert [it.example for it in gathered(by_rank, "hits", keep=3).hardest] == [1, 2, 3]

    by_f1 = [hit(0, 0.5), hit(1, 0.0, given="short"), hit(2, 0.0, given="much longer")]
    assert [it.example for it in gathered(by_f1, "f1", keep=2).hardest] == [2, 1]

    by_loss = [
        loss(0, [("a", 9.0), ("b", 1.0)]),
        loss(1, [("a", 6.0)]),
        loss(2, [("a", math.inf)]),
        loss(3, [("a", None)]),
    ]
    assert [it.example for it in gathered(by_loss, "ppl", keep=9).hardest] == [2, 1, 0]
    assert gathered(by_loss, "ppl", keep=0).hardest == ()


def test_words_are_ordered_by_what_they_cost() -> None:
    found = gathered(
        [loss(0, [("rare", 9.0), ("the", 4.0), ("the", 6.0), ("new", None)])], "ppl", keep=0
    )

    assert [word.word for word in found.surprising] == ["rare", "the"]
    assert [(word.word, word.times, word.nats) for word in found.costly] == [
        ("the", 2, 10.0),
        ("rare", 1, 9.0),
    ]
    assert [word.word for word in found.outside] == ["new"]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.rendering.findings.MAX_DISTINCT", 2)
    monkeypatch.setattr("harness.rendering.findings.MAX_TURNS", 2)
    found = gathered([loss(n, [(f"w{n}", 1.0)]) for n in range(5)], "ppl", keep=0)

    assert {word.word for word in found.costly} == {"w0", "w1"}
    assert (len(found.turns), found.later) == (2, 3)


def test_turns_that_few_reach_are_not_drawn() -> None:
    found = gathered([hit(0, 1.0)] * 9 + [hit(1, 1.0)] * 2, "hits", keep=0)

    assert [turn.number for turn in drawn_turns(found.turns, at_most=9)] == [1]
    assert [turn.number for turn in drawn_turns(found.turns[1:], at_most=9)] == [2]


def test_the_records_of_a_run_are_found_beside_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1")
    found = findings(Report.load(path), path, keep=3)

    assert isinstance(found, Findings)
    assert found.records == Report.load(path).score.n
    assert sum(turn.measure.n for turn in found.turns) == found.records
    assert len(found.hardest) == 3


def test_without_records_a_sentence_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1", records=False)
    assert "no per-example records" in str(findings(Report.load(path), path, keep=3))

    path = saved(tmp_path / "other.json", "f1")
    beside(path).write_bytes(beside(path).read_bytes()[:-5])
    assert "its sha256 differs" in str(findings(Report.load(path), path, keep=3))

    beside(path).unlink()
    assert "is not beside the report" in str(findings(Report.load(path), path, keep=3))
