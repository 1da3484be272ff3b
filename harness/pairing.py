"""Which reports can be compared on which metrics, and their totals side by side.

Reports are over the same set by the same rule where their signatures are equal but for `seed` and
`harness`, and where each dialogue counts as many examples or words in all of them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.metrics.catalogue import CATALOGUE, MAIN, Metric
from harness.report import Report

_RUN_ONLY = frozenset({"seed", "harness"})
"""Fields of a signature in which reports over one set may differ."""


class SideBySide(NamedTuple):
    """Two runs on one metric: what each dialogue adds, `[dialogues, S]` twice."""

    metric: Metric
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    n: int


def comparable(reports: Sequence[Report]) -> tuple[str, ...]:
    """The metrics on which all the reports can be compared, the main score first.

    Those are the main score and every further measure that all of them hold with totals and made
    in the same way. `UsageError` says why reports are not over the same set.
    """
    _check_same_set(reports)
    further = [
        name
        for name in (measure.name for measure in reports[0].measures)
        if all(_refusal(report, name, like=reports[0]) is None for report in reports)
    ]
    return (MAIN[reports[0].track].name, *further)


def named(metric: str | None, reports: Sequence[Report]) -> str:
    """The metric to compare on, after checking that all reports can be compared on it."""
    _check_same_set(reports)
    main = MAIN[reports[0].track].name
    if metric is None or metric == main:
        return main
    for report in reports:
        refusal = _refusal(report, metric, like=reports[0])
        if refusal is not None:
            known = ", ".join(comparable(reports))
            raise UsageError(f"cannot compare on {metric!r}: {refusal}; comparable here: {known}")
    return metric


def _refusal(report: Report, name: str, *, like: Report) -> str | None:
    """Why this report cannot be compared with another on a further measure; None if it can."""
    own = next((measure for measure in report.measures if measure.name == name), None)
    other = next((measure for measure in like.measures if measure.name == name), None)
    if own is None or other is None:
        return "not every report holds it"
    metric = CATALOGUE.get(name)
    if metric is None or metric.score is None or len(own.totals) != len(report.totals):
        return "it has no totals by dialogue"
    if any(len(row) != len(metric.columns) for row in own.totals):
        return "its totals are damaged"
    if own.signature != other.signature:
        return f"it was made as {other.signature} and as {own.signature}"
    return None


def side_by_side(name: str, a: Report, b: Report) -> SideBySide:
    """What each dialogue adds to the metric in either report; `UsageError` where nothing does."""
    metric = CATALOGUE[name]
    first, second = _table(a, metric), _table(b, metric)
    if not (total_score(metric, first) >= 0 and total_score(metric, second) >= 0):
        raise UsageError(f"a report is damaged: its totals of {name} give no score")
    return SideBySide(metric, first=first, second=second, n=a.score.n)


def total_score(metric: Metric, totals: NDArray[np.float64]) -> float:
    """The score of all dialogues together, exactly summed; NaN where nothing has weight."""
    assert metric.score is not None
    return float(metric.score(np.array([math.fsum(column) for column in totals.T])))


def _table(report: Report, metric: Metric) -> NDArray[np.float64]:
    if metric.ranks:
        return np.array([(total.value, total.weight) for total in report.totals], dtype=np.float64)
    rows = next(measure.totals for measure in report.measures if measure.name == metric.name)
    return np.array(rows, dtype=np.float64)


def _check_same_set(reports: Sequence[Report]) -> None:
    first, fields = reports[0], _fields(reports[0])
    if not first.totals:
        raise UsageError("a report without totals by dialogue cannot be compared; evaluate again")
    for other in reports[1:]:
        found = _fields(other)
        for name in (*fields, *(name for name in found if name not in fields)):
            own, others = fields.get(name, "nothing"), found.get(name, "nothing")
            if own != others and name not in _RUN_ONLY:
                raise UsageError(
                    f"the reports differ in {name}: {own} and {others}; only runs over the same "
                    "set by the same rule can be compared"
                )
        _check_same_dialogues(first, other)


def _check_same_dialogues(first: Report, other: Report) -> None:
    if len(first.totals) != len(other.totals):
        raise UsageError(
            f"the reports differ in dialogues: {len(first.totals)} and {len(other.totals)}; "
            "evaluate both on the whole set"
        )
    for number, (own, others) in enumerate(zip(first.totals, other.totals, strict=True), 1):
        if own.weight != others.weight:
            raise UsageError(
                f"the reports differ in dialogue {number}: {own.weight:g} and {others.weight:g} "
                "examples or words were scored; evaluate both on the same set in the same order"
            )


def _fields(report: Report) -> dict[str, str]:
    """The signature's fields; the track stands first in every signature."""
    return dict(field.partition(":")[::2] for field in report.signature.split("|"))
