"""Numbers as people read them: a value in its unit, an interval, a count."""

import math
from collections.abc import Iterable, Sequence

from harness.cli.terminal import plain
from harness.metrics.catalogue import CATALOGUE, MAIN
from harness.report import Measure, Report

INFINITE = "infinite"

_TINY, _HUGE = 1e-12, 1e300
"""Beyond these a scale has no round end."""

_LONG = 40
"""Characters of a foreign name that are shown."""

_PERCENT = "fraction"
_SIGNS = {"fraction": "%", "per word": "per word", "points": "points", "words": "words"}
_TITLES = {"hits": "hits@1", "f1": "F1", "ppl": "perplexity"}
_LABELS = {
    "f1": "F1",
    "ppl": "perplexity",
    "bleu": "BLEU",
    "chrf": "chrF",
    "mrr": "MRR",
    "persona_mrr": "persona MRR",
}
_NICE = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def headline(report: Report) -> Measure:
    """The score of the report as the first of its measures."""
    metric, score = MAIN[report.track], report.score
    return Measure(
        name=metric.name,
        value=score.value,
        low=score.low,
        high=score.high,
        n=score.n,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        totals=tuple((total.value, total.weight) for total in report.totals),
    )


def title(report: Report) -> str:
    """The main score's name as people write it."""
    return _TITLES[report.track]


def label(name: str) -> str:
    """A measure's name as people write it; an unknown one stands for itself, made safe to show."""
    return _LABELS.get(name) or plain(name[:_LONG])


def meaning(name: str) -> str:
    """What a measure is, in a few words; empty for an unknown one."""
    metric = CATALOGUE.get(name)
    return metric.title if metric and metric.title != label(name) else ""


def bare(value: float | None, unit: str) -> str:
    """A value without its unit's sign: a fraction in percent, two decimals; 4 digits of ppl."""
    if value is None:
        return "none"
    if math.isinf(value):
        return INFINITE
    if unit == _PERCENT:
        return f"{100 * value:.2f}"
    if unit in ("points", "words"):
        return f"{value:.2f}"
    if abs(value) < 1000:
        return f"{value:#.4g}"
    return f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.3e}"


def sign(unit: str) -> str:
    """What stands after a value of this unit."""
    return _SIGNS.get(unit) or plain(unit[:_LONG])


def text(value: float | None, unit: str) -> str:
    """A value with its unit: `15.02 %`, `20.5`, `7.10 words`."""
    if value is None or math.isinf(value) or unit == "per word":
        return bare(value, unit)
    return f"{bare(value, unit)} {sign(unit)}"


def interval(measure: Measure) -> str:
    """`14.09 to 15.92`, in the unit of the value; a sentence where there is none."""
    if measure.low is None or measure.high is None:
        return "no interval"
    return f"{bare(measure.low, measure.unit)} to {bare(measure.high, measure.unit)}"


def direction(measure: Measure) -> str:
    """Which way is better."""
    return {True: "higher", False: "lower", None: "neither"}[measure.higher_is_better]


def counted_apart(measures: Sequence[Measure]) -> str:
    """Of measures that were made from fewer things than the first: how many, in brackets.

    ` (persona@1 and persona MRR: 107)`, which stand for dialogues; empty where all are alike.
    """
    apart: dict[int, list[str]] = {}
    for measure in measures:
        if measure.n != measures[0].n:
            apart.setdefault(measure.n, []).append(label(measure.name))
    told = "; ".join(f"{' and '.join(names)}: {n:,}" for n, names in apart.items())
    return f" ({told})" if told else ""


def plural(count: int, noun: str) -> str:
    """`1 dialogue`, `1,450 examples`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def seconds(value: float) -> str:
    """A duration as people say it."""
    if value < 120:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def ceiling(values: Iterable[float | None], *, at_most: float = math.inf) -> float:
    """A round number that is not below any finite value: the upper end of a scale from 0."""
    most = max((v for v in values if v is not None and math.isfinite(v)), default=0.0)
    if most < _TINY:
        return min(1.0, at_most)
    if most > _HUGE:
        return min(most, at_most)
    power = 10.0 ** math.floor(math.log10(most))
    return min(at_most, next(power * nice for nice in _NICE if power * nice >= most * (1 - 1e-9)))


def end(most: float, unit: str) -> str:
    """The upper end of a scale, in its unit: `25 %`, `2,000`."""
    return f"{100 * most:g} %" if unit == _PERCENT else f"{most:,g}"


def fractions(measures: Sequence[Measure]) -> list[Measure]:
    """Those with an interval on one scale, of which 100 % is the end."""
    return [it for it in measures if it.unit == _PERCENT and it.low is not None]
