"""A report through a pipe: one labelled line a fact, nothing drawn."""

from collections.abc import Iterator

from harness.cli.terminal import plain
from harness.rendering import figures
from harness.rendering.findings import Findings
from harness.rendering.sheet import Sheet
from harness.rendering.worth import worth
from harness.report import Measure

_WIDTH = 14


def lines(sheet: Sheet) -> Iterator[str]:
    """The lines, without their ends."""
    score = sheet.headline
    yield _line("report", sheet.name)
    yield _line(figures.title(sheet.report), f"{_value(score)} over dialogues")
    yield _line("n", sheet.counted)
    for label, text in sheet.facts:
        yield _line(label, text)
    for measure in sheet.report.measures:
        yield _line(figures.label(measure.name), _value(measure))
    if isinstance(sheet.findings, str):
        yield _line("records", sheet.findings)
    else:
        yield from _found(sheet, sheet.findings)
    yield _line("signature", sheet.report.signature)


def _found(sheet: Sheet, found: Findings) -> Iterator[str]:
    for turn in found.turns:
        of = figures.plural(turn.measure.n, "dialogue")
        yield _line(f"turn {turn.number}", f"{_value(turn.measure)}, {of}")
    for record in found.hardest:
        said = worth(record, sheet.report.track)
        yield _line("hard", f"{said}, dialogue {record.dialogue}, reply {record.example + 1}")
        yield _line("  partner", record.partner)
        yield _line("  given", record.given)
        if record.answer is not None:
            yield _line("  answered", record.answer)
    for word in found.surprising:
        yield _line(
            "surprising", f"{word.word} {word.mean:.2f} nats, {figures.plural(word.times, 'time')}"
        )
    for word in found.outside:
        yield _line("outside", f"{word.word} {figures.plural(word.times, 'time')}")


def _value(measure: Measure) -> str:
    value = figures.text(measure.value, measure.unit)
    if measure.low is None:
        return f"{value} (no interval)"
    return f"{value} (95 % interval {figures.interval(measure)})"


def _line(label: str, text: str) -> str:
    return f"{plain(label):<{_WIDTH}}{plain(text)}"
