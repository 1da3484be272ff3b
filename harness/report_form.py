"""The JSON form of a report: how it is written, and how it is read again, part by part.

`docs/report.schema.json` describes the form; `docs/report.md` explains it. Null stands for
infinity where a `note` says so, else for what is not there.
"""

from collections.abc import Collection
from typing import Any

from harness.agent import TRACKS
from harness.document import DamagedError, Part
from harness.report import (
    SANDBOXES,
    SCHEMA,
    Measure,
    Report,
    Score,
    Sidecar,
    Total,
    finite,
)

INFINITE = "infinite"
"""The note beside figures of which every null is infinite."""

INFINITE_ALONE = "infinite, no interval"
"""The note of a measure whose value is infinite, and which has no interval."""

MAX_DIALOGUES = 1_000_000
MAX_MEASURES = 100
MAX_STATISTICS = 100
"""Columns of a measure's totals: the statistics that each dialogue adds."""

MAX_NAME = 200
MAX_SIGNATURE = 1000

_FIELDS = {
    "schema", "track", "score", "signature", "sandbox", "totals", "tokens", "unknown",
    "vocabulary", "seconds", "agent",
}  # fmt: skip
_FIELDS_OF_2 = {"measures", "sidecar"}
_SCORE = {"value", "low", "high", "n"}
_MEASURE = {*_SCORE, "name", "unit", "higher_is_better", "totals", "signature"}
_SIDECAR = {"file", "sha256", "records"}


def written(report: Report) -> dict[str, Any]:  # Any: a JSON document
    """The document of a report, as plain values."""
    sidecar = report.sidecar
    return {
        "schema": SCHEMA,
        "track": report.track,
        "score": _written_score(report.score),
        "signature": report.signature,
        "sandbox": report.sandbox,
        "totals": [[finite(total.value), total.weight] for total in report.totals],
        "tokens": report.tokens,
        "unknown": report.unknown,
        "vocabulary": report.vocabulary,
        "seconds": report.seconds,
        "agent": dict(report.agent),
        "measures": [_written_measure(measure) for measure in report.measures],
        "sidecar": sidecar and {key: getattr(sidecar, key) for key in sorted(_SIDECAR)},
    }


def parsed(document: Part) -> Report:
    """The report of a document of schema 1 or 2; `DamagedError` names the part that is wrong."""
    schema = _schema(document)
    part = document.fields(_FIELDS if schema == 1 else _FIELDS | _FIELDS_OF_2)
    totals = _totals(part["totals"])
    return Report(
        track=part["track"].choice(TRACKS),
        score=_score(part["score"]),
        signature=part["signature"].text(at_most=MAX_SIGNATURE),
        sandbox=part["sandbox"].choice(SANDBOXES),
        totals=totals,
        tokens=part["tokens"].maybe(Part.count, null=None),
        unknown=part["unknown"].maybe(Part.count, null=None),
        vocabulary=part["vocabulary"].maybe(Part.count, null=None),
        seconds=part["seconds"].at_least(0),
        agent=part["agent"].texts(at_most=100),
        measures=_measures(part["measures"], dialogues=len(totals)) if schema > 1 else (),
        sidecar=part["sidecar"].maybe(_sidecar, null=None) if schema > 1 else None,
    )


def _schema(document: Part) -> int:
    value = document.value.get("schema") if isinstance(document.value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int):
        raise DamagedError(f"this is not a report of schema {SCHEMA}")
    if value not in (1, SCHEMA):
        raise DamagedError(f"this is a report of schema {value}; 1 to {SCHEMA} are read")
    return value


def _written_score(score: Score) -> dict[str, Any]:  # Any: a JSON document
    figures = {key: finite(getattr(score, key)) for key in ("value", "low", "high")}
    note = {"note": INFINITE} if None in figures.values() else {}
    return {**figures, "n": score.n, **note}


def _written_measure(measure: Measure) -> dict[str, Any]:  # Any: a JSON document
    document = {
        "name": measure.name,
        "value": finite(measure.value),
        "low": None if measure.low is None else finite(measure.low),
        "high": None if measure.high is None else finite(measure.high),
        "n": measure.n,
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
        "totals": [[finite(figure) for figure in row] for row in measure.totals],
        "signature": measure.signature,
    }
    if (measure.low is None) != (measure.high is None):
        raise ValueError(f"measure {measure.name} has one end of an interval without the other")
    bounded = measure.low is not None
    if bounded and None in (document["value"], document["low"], document["high"]):
        document["note"] = INFINITE
    elif document["value"] is None:
        document["note"] = INFINITE_ALONE
    return document


def _score(part: Part) -> Score:
    figures = part.fields(_SCORE, optional=("note",))
    _note(figures, known=(INFINITE,))
    return Score(
        value=_figure(figures, "value"),
        low=_figure(figures, "low"),
        high=_figure(figures, "high"),
        n=figures["n"].count(),
    )


def _measures(part: Part, *, dialogues: int) -> tuple[Measure, ...]:
    return tuple(_measure(item, dialogues=dialogues) for item in part.items(at_most=MAX_MEASURES))


def _measure(part: Part, *, dialogues: int) -> Measure:
    figures = part.fields(_MEASURE, optional=("note",))
    note = _note(figures, known=(INFINITE, INFINITE_ALONE))
    nulls = [key for key in ("value", "low", "high") if figures[key].value is None]
    if note == INFINITE_ALONE and len(nulls) < len(("value", "low", "high")):
        raise DamagedError(f"{part.name} has figures beside the note {note!r}")
    bounded = note == INFINITE or not nulls
    if note is None and len({"low", "high"} & {*nulls}) == 1:
        raise DamagedError(f"{part.name} has one end of an interval without the other")
    return Measure(
        name=figures["name"].text(at_most=MAX_NAME),
        value=_figure(figures, "value"),
        low=_figure(figures, "low") if bounded else None,
        high=_figure(figures, "high") if bounded else None,
        n=figures["n"].count(),
        unit=figures["unit"].text(at_most=MAX_NAME),
        higher_is_better=figures["higher_is_better"].maybe(Part.flag, null=None),
        totals=_statistics(figures["totals"], dialogues=dialogues),
        signature=figures["signature"].maybe(_long_text, null=None),
    )


def _note(figures: dict[str, Part], *, known: Collection[str]) -> str | None:
    return figures["note"].choice(tuple(known)) if "note" in figures else None


def _figure(figures: dict[str, Part], key: str) -> float:
    """A figure; null is infinity beside a note, and not a number without one."""
    if figures[key].value is None and "note" in figures:
        return float("inf")
    return figures[key].number()


def _long_text(part: Part) -> str:
    return part.text(at_most=MAX_SIGNATURE)


def _totals(part: Part) -> tuple[Total, ...]:
    """[value, weight] of each dialogue; a null value is infinite. Rounding may leave -1e-17."""
    totals = []
    for row in part.items(at_most=MAX_DIALOGUES):
        pair = row.items(at_most=2)
        if len(pair) != len(("value", "weight")):
            row.refuse("a pair of value and weight")
        value = pair[0].maybe(Part.number, null=float("inf"))
        totals.append(Total(value, pair[1].at_least(0)))
    return tuple(totals)


def _statistics(part: Part, *, dialogues: int) -> tuple[tuple[float, ...], ...]:
    """One row of statistics for each dialogue, or none at all; all rows are of one width."""
    rows = [
        tuple(map(_statistic, row.items(at_most=MAX_STATISTICS)))
        for row in part.items(at_most=MAX_DIALOGUES)
    ]
    if rows and len(rows) != dialogues:
        raise DamagedError(f"{part.name} has {len(rows)} rows for {dialogues} dialogues")
    if len({len(row) for row in rows}) > 1:
        raise DamagedError(f"{part.name} has rows of different widths")
    return tuple(rows)


def _statistic(part: Part) -> float:
    return part.maybe(Part.number, null=float("inf"))


def _sidecar(part: Part) -> Sidecar:
    fields = part.fields(_SIDECAR)
    file = fields["file"].text(at_most=MAX_NAME)
    if not file or file in (".", "..") or any(mark in file for mark in "/\\\0"):
        fields["file"].refuse("the plain name of a file beside the report")
    sha256 = fields["sha256"].text(at_most=64)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        fields["sha256"].refuse("64 hex digits")
    return Sidecar(file=file, sha256=sha256, records=fields["records"].count())
