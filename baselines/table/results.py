"""What became of a row: its measures with intervals, its cost, and whether its bars are met."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from baselines.table.rows import DISTINCT, SECONDS, Bar, Row
from harness import records
from harness.rendering import figures
from harness.report import Measure, Report, finite

WEIGHTS, CONFIG = "model.safetensors", "config.json"

_HEADER_BYTES = 100 * 1024 * 1024
"""The longest head of a weights file that is read, which is the format's own bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row as it came out; `failed` says which step did not work, if one did not.

    `seconds` is the wall time of the training command, None where nobody knows or another row's
    checkpoint was taken. `trained` is what the checkpoint says of its training (updates, device,
    what it validated at). `parameters` counts the numbers in the weights file, `size` the bytes of
    the checkpoint. `measures` have no totals, `signatures` say how each track was scored.
    """

    row: Row
    measures: Mapping[str, Measure]
    seconds: float | None = None
    trained: Mapping[str, Any] = field(default_factory=dict)  # Any: plain JSON values
    parameters: int | None = None
    size: int | None = None
    signatures: tuple[str, ...] = ()
    failed: str | None = None

    def value(self, measure: str) -> float | None:
        """A measure's value, or the seconds; None where it was not measured."""
        if measure == SECONDS:
            return self.seconds
        found = self.measures.get(measure)
        return None if found is None else found.value


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and what was reached: `met` is None where it was not measured."""

    bar: Bar
    reached: float | None
    met: bool | None


def measured(report: Report, *, path: Path) -> dict[str, Measure]:
    """The measures of a report, the score first, and for f1 the share of different replies."""
    found = [figures.headline(report), *report.measures]
    if report.track == "f1":
        found.append(_distinct(path, n=report.score.n))
    return {measure.name: replace(measure, totals=()) for measure in found}


def verdicts(result: Result, others: Mapping[str, Result]) -> tuple[Verdict, ...]:
    """Each bar of a row held to what it reached; `others` are all rows by name."""
    return tuple(_verdict(bar, result, others) for bar in result.row.bars)


def parameters(checkpoint: Path) -> int | None:
    """How many numbers the weights file holds, None where there is none; its head says it."""
    path = checkpoint / WEIGHTS
    if not path.is_file():
        return None
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(min(length, _HEADER_BYTES)))
    shapes = [tensor["shape"] for name, tensor in head.items() if name != "__metadata__"]
    return sum(_product(shape) for shape in shapes)


def trained(checkpoint: Path) -> dict[str, Any]:  # Any: plain JSON values
    """What a checkpoint's config.json says of its training; nothing where it says nothing."""
    try:
        config = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    said = config.get("trained", {}) if isinstance(config, dict) else {}
    return said if isinstance(said, dict) else {}


def size(checkpoint: Path) -> int:
    """The bytes of a checkpoint's files."""
    return sum(path.stat().st_size for path in checkpoint.rglob("*") if path.is_file())


def as_json(result: Result, others: Mapping[str, Result]) -> dict[str, Any]:  # Any: JSON
    """A row as plain values."""
    return {
        "name": result.row.name,
        "baseline": result.row.baseline,
        "options": list(result.row.options),
        "like": result.row.like,
        "changes": result.row.changes,
        "measures": {name: _measure(one) for name, one in result.measures.items()},
        "seconds": result.seconds,
        "trained": dict(result.trained),
        "parameters": result.parameters,
        "bytes": result.size,
        "signatures": list(result.signatures),
        "bars": [_bar(verdict) for verdict in verdicts(result, others)],
        "published": [asdict(one) for one in result.row.published],
        "failed": result.failed,
    }


def _verdict(bar: Bar, result: Result, others: Mapping[str, Result]) -> Verdict:
    reached = result.value(bar.measure)
    if bar.below is not None:
        other = others[bar.below].value(bar.measure) if bar.below in others else None
        reached = None if reached is None or other is None else other - reached
    if reached is None:
        return Verdict(bar, None, None)
    enough = bar.at_least is None or reached >= bar.at_least
    return Verdict(bar, reached, enough and (bar.at_most is None or reached <= bar.at_most))


def _distinct(report: Path, *, n: int) -> Measure:
    """The share of the replies that are different texts; it does not add up, so no interval."""
    said = [record.answer for record in records.read(records.beside(report))]
    share = len(set(said)) / max(1, len(said))
    return Measure(
        name=DISTINCT,
        value=share,
        low=None,
        high=None,
        n=n,
        unit="fraction",
        higher_is_better=True,
    )


def _product(shape: list[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _measure(measure: Measure) -> dict[str, Any]:  # Any: JSON
    bounds = {"low": measure.low, "high": measure.high}
    return {
        "value": finite(measure.value),
        **{name: None if bound is None else finite(bound) for name, bound in bounds.items()},
        "n": measure.n,
        "unit": measure.unit,
    }


def _bar(verdict: Verdict) -> dict[str, Any]:  # Any: JSON
    reached = verdict.reached
    return {
        **asdict(verdict.bar),
        "reached": None if reached is None else finite(reached),
        "met": verdict.met,
    }
