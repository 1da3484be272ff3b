"""Everything that is shown of one report, in one value that each way of showing it takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.rendering import figures
from harness.rendering.findings import Findings, Turn, Word, findings
from harness.rendering.signature import Field, explained
from harness.report import Measure, Report, finite

SCHEMA = 1
"""Of the document that `as_json` makes."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report to be shown under a name; `findings` is a sentence where there are none."""

    name: str
    report: Report
    findings: Findings | str

    @property
    def headline(self) -> Measure:
        """The main score."""
        return figures.headline(self.report)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The main score first."""
        return (self.headline, *self.report.measures)

    @property
    def signature(self) -> tuple[Field, ...]:
        """The signature, explained."""
        return explained(self.report.signature)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """How the run went, as labels and texts."""
        report = self.report
        rows: list[tuple[str, str]] = []
        if report.tokens is not None and report.unknown is not None:
            unknown = f"{report.unknown:,} outside the dictionary"
            rows.append(("words", f"{report.tokens:,} scored, {unknown}"))
        if report.vocabulary is not None:
            rows.append(("dictionary", f"{report.vocabulary:,} entries"))
        rows.append(("sandbox", report.sandbox))
        if report.seconds > 0:
            speed = f"{report.score.n / report.seconds:,.1f} examples/s"
            rows.append(("speed", f"{speed}, {figures.seconds(report.seconds)} in all"))
        return rows + sorted(report.agent.items())

    @property
    def candidates(self) -> int | None:
        """How many candidates each example has (hits), if the signature says it."""
        found = [field.value for field in self.signature if field.key == "cands"]
        return int(found[0]) if found and re.fullmatch(r"[0-9]{1,9}", found[0]) else None

    @property
    def counted(self) -> str:
        """`1,450 examples in 97 dialogues`."""
        examples = figures.plural(self.report.score.n, "example")
        dialogues = len(self.report.totals)
        return f"{examples} in {figures.plural(dialogues, 'dialogue')}" if dialogues else examples


def sheet(report: Report, path: Path, *, name: str, keep: int) -> Sheet:
    """The sheet of a report in a file, with `keep` of its hardest examples."""
    return Sheet(name, report, findings(report, path, keep=keep))


def as_json(sheet: Sheet) -> dict[str, Any]:  # Any: a JSON document
    """The sheet as plain values: the report without totals, and what its records tell."""
    document = sheet.report.to_json()
    for part in (document, *document["measures"]):
        del part["totals"]
    found = sheet.findings
    return {
        "schema": SCHEMA,
        "name": sheet.name,
        "report": document,
        "signature": {field.key: field.value for field in sheet.signature},
        "findings": None if isinstance(found, str) else _findings(found),
        "findings_note": found if isinstance(found, str) else None,
    }


def _findings(found: Findings) -> dict[str, Any]:  # Any: a JSON document
    return {
        "records": found.records,
        "turns": [_turn(turn) for turn in found.turns],
        "examples_of_later_turns": found.later,
        "hardest": [
            {
                "dialogue": record.dialogue,
                "reply": record.example + 1,
                "partner": record.partner,
                "given": record.given,
                "answer": record.answer,
                "rank": record.rank,
                "value": finite(record.value),
                "weight": record.weight,
            }
            for record in found.hardest
        ],
        "surprising": _words(found.surprising),
        "costly": _words(found.costly),
        "outside": _words(found.outside),
    }


def _turn(turn: Turn) -> dict[str, Any]:  # Any: a JSON document
    measure = turn.measure
    bounds = {"low": measure.low, "high": measure.high}
    return {
        "turn": turn.number,
        "value": finite(measure.value),
        **{key: None if bound is None else finite(bound) for key, bound in bounds.items()},
        "dialogues": measure.n,
    }


def _words(words: Sequence[Word]) -> list[dict[str, Any]]:  # Any: a JSON document
    return [{"word": word.word, "times": word.times, "nats": finite(word.nats)} for word in words]
