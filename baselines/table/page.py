"""The results as Markdown: one table of figures, one of bars, one beside the published."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import harness
from baselines.table.results import Result, Verdict, verdicts
from baselines.table.rows import DISTINCT, SECONDS
from harness.metrics.catalogue import CATALOGUE
from harness.rendering import figures
from harness.report import Measure

MEASURES = ("hits@1", "hits@3", "hits@10", "mrr", "f1", DISTINCT, "persona@1", "ppl")
"""The columns of figures, of which those are shown that some row has."""

_LABELS = {"ppl": "perplexity", DISTINCT: "different replies", SECONDS: "training"}
_ABSENT = "-"

_BARS = "Bars, set for the test file of the development data and two threads:"
_PUBLISHED = "Beside published figures, which were made on other data:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How the table came about."""

    data: str
    split: str
    seed: int
    threads: int
    further: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """One sentence."""
        changed = f", trained with {' '.join(self.further)}" if self.further else ""
        return (
            f"Scored on {self.split} of {self.data}; seed {self.seed}, "
            f"{figures.plural(self.threads, 'thread')}{changed}; Rostrum {harness.__version__}, "
            f"Python {platform.python_version()}, {platform.machine()}. "
            "Fractions in percent; in brackets 95 % intervals over dialogues."
        )


def page(results: Sequence[Result], facts: Facts) -> str:
    """The whole text."""
    by_name = {result.row.name: result for result in results}
    parts = [figures_table(results), facts.said, *_failures(results)]
    parts += [part for part in (_bars(results, by_name), _published(results)) if part]
    return "\n\n".join(parts) + "\n"


def figures_table(results: Sequence[Result]) -> str:
    """A line a row, a column a measure; then what training took and made."""
    names = [name for name in MEASURES if any(name in result.measures for result in results)]
    heads = [
        "baseline",
        *map(label, names),
        "examples",
        "training",
        "parameters",
        "checkpoint",
    ]
    return markdown(heads, (_line(result, names) for result in results))


def markdown(heads: Sequence[str], lines: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table of Markdown; the first columns are words, the others are figures."""
    rules = [*["---"] * words, *["---:"] * (len(heads) - words)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rules, *lines))


def label(name: str) -> str:
    """A measure's name at the head of a column."""
    return _LABELS.get(name) or figures.label(name)


def cell(measure: Measure | None) -> str:
    """`62.01 (59.85–64.10)`."""
    if measure is None:
        return _ABSENT
    value = figures.bare(measure.value, measure.unit)
    if measure.low is None or measure.high is None:
        return value
    low, high = (figures.bare(end, measure.unit) for end in (measure.low, measure.high))
    return f"{value} ({low}–{high})"


def value(name: str, given: float | None) -> str:
    """A value of a measure with its unit."""
    if given is None:
        return _ABSENT
    if name == SECONDS:
        return figures.seconds(given)
    unit = "fraction" if name == DISTINCT else CATALOGUE[name].unit
    return figures.text(given, unit)


def _line(result: Result, names: Sequence[str]) -> list[str]:
    examples = max((measure.n for measure in result.measures.values()), default=None)
    return [
        result.row.name,
        *(cell(result.measures.get(name)) for name in names),
        _ABSENT if examples is None else f"{examples:,}",
        f"as {result.row.like}" if result.row.like else _training(result),
        _ABSENT if result.parameters is None else f"{result.parameters:,}",
        _ABSENT if result.size is None else _bytes(result.size),
    ]


def _training(result: Result) -> str:
    """The seconds, and where, if not on a processor."""
    device = result.trained.get("device", "cpu")
    return value(SECONDS, result.seconds) + ("" if device == "cpu" else f" ({device})")


def _bytes(size: int) -> str:
    """`96 B`, `51 kB`, `12.4 MB`."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1e3:,.0f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def _failures(results: Sequence[Result]) -> list[str]:
    return [f"**{one.row.name} failed:** {one.failed}." for one in results if one.failed]


def _bars(results: Sequence[Result], by_name: Mapping[str, Result]) -> str:
    lines = [
        [result.row.name, _asked(verdict), _reached(verdict), _met(verdict)]
        for result in results
        for verdict in verdicts(result, by_name)
    ]
    table = markdown(["baseline", "bar", "reached", ""], lines, words=4)
    return f"{_BARS}\n\n{table}" if lines else ""


def _asked(verdict: Verdict) -> str:
    bar = verdict.bar
    name = label(bar.measure)
    if bar.below is not None:
        return f"{name} below {bar.below} by at least {value(bar.measure, bar.at_least)}"
    if bar.at_least is not None:
        return f"{name} at least {value(bar.measure, bar.at_least)}"
    return f"{name} at most {value(bar.measure, bar.at_most)}"


def _reached(verdict: Verdict) -> str:
    return value(verdict.bar.measure, verdict.reached)


def _met(verdict: Verdict) -> str:
    return {True: "met", False: "**not met**", None: "not measured"}[verdict.met]


def _published(results: Sequence[Result]) -> str:
    lines = [
        [
            result.row.name,
            label(one.measure),
            value(one.measure, result.value(one.measure)),
            value(one.measure, one.value),
            one.source,
        ]
        for result in results
        for one in result.row.published
    ]
    heads = ["baseline", "measure", "here", "published, on other data", "source"]
    return f"{_PUBLISHED}\n\n{markdown(heads, lines, words=5)}" if lines else ""
