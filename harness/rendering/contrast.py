"""What is shown of two or more runs side by side: differences in words, in one value."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.comparison import (
    ALPHA,
    Comparison,
    Difference,
    Pair,
    compare,
    compare_all,
    compare_each,
)
from harness.errors import UsageError
from harness.rendering import figures
from harness.rendering.signature import differing
from harness.report import Measure, Report

SCHEMA = 1
"""Of the document that `as_json` makes."""


@dataclass(frozen=True, slots=True)
class Two:
    """Two runs: each difference is the second less the first, the main score's first of all."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    differences: tuple[Difference, ...]

    @property
    def sentence(self) -> str:
        """What the first difference means."""
        return sentence(self.differences[0], names=self.names, p=self.differences[0].p)

    @property
    def differing(self) -> tuple[str, ...]:
        """The fields in which the signatures differ, though the scores can be compared."""
        return differing(*(report.signature for report in self.reports))


@dataclass(frozen=True, slots=True)
class Many:
    """Three runs or more on one metric, p adjusted for there being many pairs."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    comparison: Comparison

    @property
    def order(self) -> list[int]:
        """The places of the runs, the best first."""
        sign = 1 if self.comparison.higher_is_better is False else -1
        return sorted(range(len(self.names)), key=lambda at: sign * self.comparison.values[at])

    def measure(self, place: int) -> Measure:
        """The measure that is compared, as the run's own report holds it."""
        report, name = self.reports[place], self.comparison.metric
        own = (figures.headline(report), *report.measures)
        return next(measure for measure in own if measure.name == name)

    def ranks(self, place: int) -> str:
        """The ranks that the run may have: `1`, `2 to 3`."""
        best, worst = self.comparison.ranks[place].best, self.comparison.ranks[place].worst
        return str(best) if best == worst else f"{best} to {worst}"

    def sentence(self, pair: Pair) -> str:
        """What a pair's difference means."""
        names = (self.names[pair.second], self.names[pair.first])
        return sentence(pair.difference, names=names, p=pair.adjusted)


def two(names: Sequence[str], reports: Sequence[Report], *, metric: str | None) -> Two:
    """Two runs on every metric that they share, or on `metric` alone."""
    before, after = reports
    found = (compare(after, before, metric=metric),) if metric else compare_each(after, before)
    return Two(tuple(names), tuple(reports), found)


def many(names: Sequence[str], reports: Sequence[Report], *, metric: str | None) -> Many:
    """Three runs or more on the main score, or on `metric`."""
    return Many(tuple(names), tuple(reports), compare_all(reports, metric=metric))


def called(given: str | None, stems: Sequence[str]) -> tuple[str, ...]:
    """The runs' names: those given, separated by commas, else the files', numbered if equal."""
    if given is not None:
        names = tuple(name.strip() for name in given.split(","))
        if len(names) != len(stems) or not all(names) or len(set(names)) != len(names):
            raise UsageError(
                f"--names {given!r} does not name {len(stems)} reports, each with a name of its own"
            )
        return names
    return tuple(
        f"{stem} ({place})" if list(stems).count(stem) > 1 else stem
        for place, stem in enumerate(stems, 1)
    )


def sentence(difference: Difference, *, names: Sequence[str], p: float) -> str:
    """One plain sentence; `difference` is of `names[1]` less `names[0]`."""
    before, after = names
    what = figures.label(difference.metric)
    if difference.value == 0 and difference.low == difference.high:
        return f"{before} and {after} have the same {what}."
    if not p < ALPHA:
        return (
            f"No difference in {what} between {before} and {after} can be told from this data: "
            f"{amount(difference)}, {p_value(p)}."
        )
    if difference.better is None:
        greater = after if difference.value > 0 else before
        return f"{greater} has the greater {what}, by {amount(difference)}, {p_value(p)}."
    better, worse = (after, before) if difference.better == "first" else (before, after)
    return f"{better} is better than {worse} in {what} by {amount(difference)}, {p_value(p)}."


def amount(difference: Difference) -> str:
    """How far apart, with the interval: `2.30 points [0.40, 4.10]`.

    On a log scale it is how much less the lesser score is, in percent of the greater.
    """
    value, low, high = difference.value, difference.low, difference.high
    if math.isinf(value):
        return "an infinite difference"
    if value < 0:
        value, low, high = -value, -high, -low
    if difference.scale == "log":
        said, first, last = (_rounded(-100 * math.expm1(-x)) for x in (value, low, high))
    else:
        said, first, last = (step(x, difference) for x in (value, low, high))
    return f"{said} {units(difference)} [{first}, {last}]"


def signed(difference: Difference) -> str:
    """The difference with its sign: `+2.30`, on a log scale in percent of the first score."""
    return f"{'+' if difference.value > 0 else ''}{step(difference.value, difference)}"


def change(difference: Difference) -> str:
    """The signed difference with what it is counted in."""
    said = signed(difference)
    return said if math.isinf(difference.value) else f"{said} {units(difference)}"


def bounds(difference: Difference) -> str:
    """The interval of the signed difference."""
    return f"{step(difference.low, difference)} to {step(difference.high, difference)}"


def step(value: float, difference: Difference) -> str:
    """A difference as people read it: points of percent, percent of a perplexity, or as it is."""
    if math.isinf(value):
        return figures.INFINITE if value > 0 else f"-{figures.INFINITE}"
    if difference.scale == "log":
        value = math.expm1(value) if value < 300 else math.inf
    if difference.scale == "log" or difference.unit == "fraction":
        return _rounded(100 * value)
    return _rounded(value)


def units(difference: Difference) -> str:
    """What a difference is counted in."""
    if difference.scale == "log":
        return "%"
    return "points" if difference.unit == "fraction" else figures.sign(difference.unit)


def p_value(p: float) -> str:
    """`p = .012`, `p < .001`."""
    return "p < .001" if p < 0.001 else f"p = {_p(p)}"


def bare_p(p: float) -> str:
    """`.012`, `< .001`."""
    return "< .001" if p < 0.001 else _p(p)


def as_json(shown: Two | Many) -> dict[str, Any]:  # Any: a JSON document
    """The comparison as plain values; null stands for what is infinite."""
    document: dict[str, Any] = {  # Any: JSON values
        "schema": SCHEMA,
        "names": list(shown.names),
        "track": shown.reports[0].track,
        "signatures": [report.signature for report in shown.reports],
    }
    if isinstance(shown, Two):
        differences = [_document(difference) for difference in shown.differences]
        return {**document, "sentence": shown.sentence, "differences": differences}
    return {
        **document,
        "metric": shown.comparison.metric,
        "systems": [_system(shown, place) for place in shown.order],
        "pairs": [_pair(shown, pair) for pair in shown.comparison.pairs],
    }


def _system(shown: Many, place: int) -> dict[str, Any]:  # Any: a JSON document
    ranks = shown.comparison.ranks[place]
    value = _plain(shown.comparison.values[place])
    return {"name": shown.names[place], "value": value, "best": ranks.best, "worst": ranks.worst}


def _pair(shown: Many, pair: Pair) -> dict[str, Any]:  # Any: a JSON document
    return {
        "first": shown.names[pair.first],
        "second": shown.names[pair.second],
        "adjusted": pair.adjusted,
        "sentence": shown.sentence(pair),
        **_document(pair.difference),
    }


def _document(difference: Difference) -> dict[str, Any]:  # Any: a JSON document
    plain = {key: _plain(value) for key, value in asdict(difference).items()}
    plain["first_score"], plain["second_score"] = plain.pop("first"), plain.pop("second")
    return plain


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(value: float) -> str:
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def _p(p: float) -> str:
    return "1" if p >= 0.9995 else f"{p:.3f}".removeprefix("0")
