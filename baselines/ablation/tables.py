"""The results of an ablation as Markdown and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import harness
from baselines.ablation.cells import AGAINST, MEASURES, Cell, Gap
from baselines.table.page import cell as shown
from baselines.table.page import label, markdown
from harness.comparison import Difference
from harness.rendering import figures
from harness.report import Measure, finite

SCHEMA = 1
"""Of ablation.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How the figures came about; `known` says of each condition how many training talks have it.

    `known[persona]` is (dialogues of the training file that have such a persona, all of them).
    """

    data: str
    split: str
    seed: int
    threads: int
    known: dict[str, tuple[int, int]]
    further: tuple[str, ...] = ()


def page(cells: Sequence[Cell], gaps: Sequence[Gap], facts: Facts) -> str:
    """One table for each length of the lists, and what is not in them."""
    counts = sorted({one.candidates for one in cells})
    parts = [_table([one for one in cells if one.candidates == count], count) for count in counts]
    return "\n\n".join([*parts, *_notes(gaps, facts)]) + "\n"


def document(cells: Sequence[Cell], gaps: Sequence[Gap], facts: Facts) -> bytes:
    """The same as JSON."""
    values: dict[str, Any] = {  # Any: a JSON document
        "schema": SCHEMA,
        "data": facts.data,
        "split": facts.split,
        "seed": facts.seed,
        "threads": facts.threads,
        "further": list(facts.further),
        "training_dialogues": {
            name: {"with_persona": some, "all": every}
            for name, (some, every) in facts.known.items()
        },
        "cells": [_cell(one) for one in cells],
        "absent": [
            {"model": gap.model, "persona": gap.persona, "reason": gap.reason} for gap in gaps
        ],
    }
    return json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _table(cells: Sequence[Cell], count: int) -> str:
    names = [name for name in MEASURES if any(name in one.measures for one in cells)]
    heads = [
        "model",
        "persona",
        *map(label, names),
        f"hits@1 over {AGAINST}",
        "n",
        "training",
        "scoring",
    ]
    lines = (_line(one, names) for one in cells)
    return f"### Among {count} candidates\n\n{markdown(heads, lines, words=2)}"


def _line(one: Cell, names: Sequence[str]) -> list[str]:
    return [
        one.model,
        one.persona,
        *(shown(one.measures.get(name)) for name in names),
        "-" if one.gain is None else _gain(one.gain),
        f"{one.report.score.n:,}",
        "-" if one.trained is None else figures.seconds(one.trained),
        figures.seconds(one.report.seconds),
    ]


def _gain(gain: Difference) -> str:
    """`+2.21 (+0.90 to +3.50), p 0.001`."""
    value, low, high = (f"{100 * part:+.2f}" for part in (gain.value, gain.low, gain.high))
    return f"{value} ({low} to {high}), p {gain.p:.2g}"


def _notes(gaps: Sequence[Gap], facts: Facts) -> Iterator[str]:
    changed = f", trained with {' '.join(facts.further)}" if facts.further else ""
    yield (
        f"Trained and tested under each condition on {facts.data} ({facts.split}); seed "
        f"{facts.seed}, {figures.plural(facts.threads, 'thread')}{changed}; "
        f"Rostrum {harness.__version__}. Percent; in brackets 95 % intervals over "
        f"dialogues; the gain over {AGAINST} is paired by dialogue, "
        "its p not adjusted for there being many."
    )
    for name, (some, every) in facts.known.items():
        if some < every:
            yield f"`{name}`: {some:,} of {every:,} training dialogues have such a persona."
    for gap in gaps:
        yield f"**Not there: {' '.join(filter(None, (gap.model, gap.persona)))}.** {_said(gap)}."


def _said(gap: Gap) -> str:
    return gap.reason[:1].upper() + gap.reason[1:]


def _cell(one: Cell) -> dict[str, Any]:  # Any: JSON
    return {
        "model": one.model,
        "persona": one.persona,
        "candidates": one.candidates,
        "measures": {name: _measure(measure) for name, measure in one.measures.items()},
        "n": one.report.score.n,
        "dialogues": len(one.report.totals),
        "seconds": {"training": one.trained, "scoring": one.report.seconds},
        "gain": None if one.gain is None else _difference(one.gain),
        "signature": one.report.signature,
    }


def _measure(measure: Measure) -> dict[str, float | None]:
    return {
        "value": finite(measure.value),
        "low": measure.low,
        "high": measure.high,
    }


def _difference(gain: Difference) -> dict[str, float]:
    return {"value": gain.value, "low": gain.low, "high": gain.high, "p": gain.p}
