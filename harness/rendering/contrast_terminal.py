"""A comparison in a terminal, and through a pipe."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.terminal import plain
from harness.comparison import ALPHA, Difference
from harness.rendering import figures
from harness.rendering.bars import across, reach
from harness.rendering.contrast import Many, Two, bare_p, bounds, change, signed, step
from harness.rendering.terminal import heading, table

_WIDE = 100
"""Columns from which differences are drawn beside their figures."""


def show(shown: Two | Many, console: Console) -> None:
    """Print the comparison with tables."""
    wide = console.width >= _WIDE
    blocks = _two(shown, wide=wide) if isinstance(shown, Two) else _many(shown)
    console.print(*blocks, sep="\n")


def lines(shown: Two | Many) -> Iterator[str]:
    """The comparison as plain lines."""
    if isinstance(shown, Two):
        yield plain(shown.sentence)
        for found in shown.differences:
            yield plain(_line(figures.label(found.metric), found, p=found.p))
        yield note(shown)
        return
    for place in shown.order:
        measure = shown.measure(place)
        value = figures.text(shown.comparison.values[place], shown.comparison.unit)
        yield plain(
            f"rank {shown.ranks(place)}: {shown.names[place]} {value} "
            f"(95 % interval {figures.interval(measure)})"
        )
    for pair in shown.comparison.pairs:
        yield plain(shown.sentence(pair))


def note(shown: Two) -> str:
    """What the reader should know of the numbers."""
    first = shown.differences[0]
    base = f"Differences are {plain(shown.names[1])} less {plain(shown.names[0])}, over "
    said = f"{base}{figures.plural(first.dialogues, 'dialogue')} that both answered."
    if shown.differing:
        said += f" The signatures differ in {', '.join(shown.differing)}, which does not matter."
    return said


def _line(label: str, found: Difference, *, p: float) -> str:
    scores = f"{_score(found, found.second)} and {_score(found, found.first)}"
    said = f"{change(found)} ({bounds(found)})"
    return f"{label:<14}{scores}, difference {said}, p {bare_p(p)}"


def _score(found: Difference, value: float) -> str:
    return figures.text(value, "per word" if found.scale == "log" else found.unit)


def _two(shown: Two, *, wide: bool) -> Iterator[RenderableType]:
    one, other = (plain(name) for name in shown.names)
    yield Text.assemble("\n  ", (one, "bold"), (" and ", "dim"), (other, "bold"))
    yield Padding(Text(plain(shown.sentence)), (1, 2, 1, 2))
    yield _differences(shown, wide=wide)
    yield Padding(Text(note(shown), style="dim"), (1, 2, 1, 2))


def _differences(shown: Two, *, wide: bool) -> Table:
    heads = [plain(name[: 30 if wide else 12]) for name in shown.names]
    drawn = ("",) if wide else ()
    right = (*heads, "difference", "p")
    made = table(
        "measure",
        *heads,
        "difference",
        "95 % interval",
        *drawn,
        "p",
        right=right,
        folded=("measure",),
    )
    for found in shown.differences:
        sure = found.p < ALPHA
        unit = "per word" if found.scale == "log" else found.unit
        made.add_row(
            labelled(found),
            figures.bare(found.second, unit),
            figures.bare(found.first, unit),
            Text(_step(found), style="bold" if sure else ""),
            bounds(found),
            *([across(found, most=reach([found]), width=11)] if wide else []),
            Text(bare_p(found.p), style="" if sure else "dim"),
        )
    return made


def _step(found: Difference) -> str:
    """The difference; its unit stands with the measure, but for a difference in percent."""
    return change(found) if found.scale == "log" else signed(found)


def labelled(found: Difference) -> str:
    """A measure with the unit of its scores: `F1, %`."""
    sign = "" if found.scale == "log" else figures.sign(found.unit)
    return f"{figures.label(found.metric)}, {sign}" if sign else figures.label(found.metric)


def _many(shown: Many) -> Iterator[RenderableType]:
    comparison = shown.comparison
    label = figures.label(comparison.metric)
    made = table("rank", "run", label, "95 % interval", right=(label,), folded=("run",))
    for place in shown.order:
        measure = shown.measure(place)
        made.add_row(
            shown.ranks(place),
            Text(plain(shown.names[place]), style="bold"),
            figures.text(measure.value, measure.unit),
            figures.interval(measure),
        )
    dialogues = figures.plural(comparison.dialogues, "dialogue")
    yield Group(heading(label, f"{len(shown.names)} runs over {dialogues}"), made)
    yield Group(heading("Pairs", "p adjusted for their number (Holm)"), _pairs(shown))
    yield Text("\n  A rank range holds every rank that these tests leave open.\n", style="dim")


def _pairs(shown: Many) -> RenderableType:
    pairs = shown.comparison.pairs
    made = table(
        "",
        "less",
        "difference",
        "95 % interval",
        "",
        "p",
        right=("difference", "p"),
        folded=("", "less"),
    )
    most = reach([pair.difference for pair in pairs])
    for pair in pairs:
        found = pair.difference
        sure = pair.adjusted < ALPHA
        made.add_row(
            plain(shown.names[pair.first]),
            plain(shown.names[pair.second]),
            Text(change(found), style="bold" if sure else ""),
            f"{step(found.low, found)} to {step(found.high, found)}",
            across(found, most=most, width=11),
            Text(bare_p(pair.adjusted), style="" if sure else "dim"),
        )
    return made
