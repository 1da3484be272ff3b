"""A report in a terminal: the score, tables with drawn intervals, the hardest examples."""

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.terminal import plain
from harness.records import Record
from harness.rendering import figures
from harness.rendering.bars import bar
from harness.rendering.findings import Findings, Turn, Word, drawn_turns
from harness.rendering.sheet import Sheet
from harness.rendering.worth import shade, worth
from harness.report import Measure

TURNS_SHOWN = 20

_LONG = 400
"""Characters of an utterance that are shown."""

_SHADES = ("", "", "yellow", "dark_orange", "red", "bold red")


def show(sheet: Sheet, console: Console) -> None:
    """Print the sheet."""
    console.print(*_blocks(sheet), sep="\n")


def _blocks(sheet: Sheet) -> Iterator[RenderableType]:
    yield _head(sheet)
    yield Padding(_pairs(sheet.facts), (1, 0, 0, 2))
    if sheet.report.measures:
        yield _measures(sheet.measures)
    if isinstance(sheet.findings, str):
        yield Padding(Text(plain(sheet.findings), style="dim"), (1, 2, 0, 2))
    else:
        yield from _found(sheet, sheet.findings)
    yield heading("Signature")
    fields = [(field.key, (field.value, field.meaning)) for field in sheet.signature]
    yield Padding(_explained(fields), (0, 0, 1, 2))


def _head(sheet: Sheet) -> RenderableType:
    score = sheet.headline
    name = Text.assemble(("\n  " + plain(sheet.name), "bold"), (f"  {sheet.counted}", "dim"))
    value = Text.assemble(
        f"\n  {figures.title(sheet.report)}  ",
        (figures.text(score.value, score.unit), "bold magenta"),
        f"   95 % interval {figures.interval(score)}",
        (", over dialogues", "dim"),
    )
    return Group(name, value)


def heading(text: str, note: str = "") -> RenderableType:
    """The title of a block, with a quiet remark."""
    return Text.assemble((f"\n  {text}", "bold"), (f"  {note}" if note else "", "dim"))


def table(*columns: str, right: Sequence[str] = (), folded: Sequence[str] = ()) -> Table:
    """A table of the house: no frame, quiet headings; `folded` columns give way to the others."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="dim", show_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        made.add_column(
            column, justify=justify, no_wrap=column not in folded, overflow="fold", min_width=4
        )
    return made


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    made = Table.grid(padding=(0, 2))
    for key, value in rows:
        made.add_row(Text(plain(key), style="dim"), Text(plain(value)))
    return made


def _explained(rows: Sequence[tuple[str, tuple[str, str]]]) -> Table:
    made = Table.grid(padding=(0, 2))
    for key, (value, meaning) in rows:
        made.add_row(
            Text(plain(key), style="dim"), Text(plain(value)), Text(plain(meaning), style="dim")
        )
    return made


def _measures(measures: Sequence[Measure]) -> RenderableType:
    shares = figures.fractions(measures)
    most = figures.ceiling([measure.high for measure in shares], at_most=1)
    scale = f"0 to {figures.end(most, 'fraction')}" if shares else ""
    made = table(
        "measure", "value", "95 % interval", scale, "better", right=("value",), folded=("measure",)
    )
    for measure in measures:
        made.add_row(
            Text(plain(figures.label(measure.name))),
            Text(figures.text(measure.value, measure.unit)),
            Text(figures.interval(measure), style="dim" if measure.low is None else ""),
            bar(measure, most=most) if measure in shares else Text(""),
            Text(figures.direction(measure), style="dim"),
        )
    n = f"{measures[0].n:,}{figures.counted_apart(measures)}"
    return Group(heading("Measures", f"n = {n}; the first one ranks"), made)


def _found(sheet: Sheet, found: Findings) -> Iterator[RenderableType]:
    turns = drawn_turns(found.turns, at_most=TURNS_SHOWN)
    if turns:
        yield _turns(sheet, turns)
    left = found.records - sum(turn.measure.n for turn in turns)
    if left:
        yield Text(f"  {figures.plural(left, 'example')} of later turns are not drawn", style="dim")
    if found.hardest:
        yield heading("Hardest examples")
        yield from (_example(sheet, record, place) for place, record in enumerate(found.hardest, 1))
    if sheet.report.track == "ppl":
        yield from _words(found)


def _turns(sheet: Sheet, turns: Sequence[Turn]) -> RenderableType:
    bounds = [turn.measure.high for turn in turns]
    fraction = sheet.headline.unit == "fraction"
    most = figures.ceiling(bounds, at_most=1 if fraction else float("inf"))
    scale = f"0 to {figures.end(most, sheet.headline.unit)}"
    right = ("turn", "value", "dialogues")
    made = table("turn", "value", "95 % interval", scale, "dialogues", right=right)
    for turn in turns:
        made.add_row(
            Text(str(turn.number)),
            Text(figures.text(turn.measure.value, turn.measure.unit)),
            Text(figures.interval(turn.measure)),
            bar(turn.measure, most=most),
            Text(f"{turn.measure.n:,}"),
        )
    return Group(heading("Turn by turn", figures.title(sheet.report)), made)


def _example(sheet: Sheet, record: Record, place: int) -> RenderableType:
    head = Text.assemble(
        (f"{place}. ", "dim"),
        worth(record, sheet.report.track, candidates=sheet.candidates),
        (f"  dialogue {plain(record.dialogue[:60])}, reply {record.example + 1}", "dim"),
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_row(Text("partner", style="dim"), Text(clipped(record.partner)))
    rows.add_row(Text("given", style="dim"), _given(record))
    if record.answer is not None:
        rows.add_row(Text("answered", style="dim"), Text(clipped(record.answer) or "(nothing)"))
    return Group(Padding(head, (0, 0, 0, 2)), Padding(rows, (0, 0, 1, 5)))


def _given(record: Record) -> Text:
    """The reply; on ppl word by word, the more surprising the louder, unknown ones struck."""
    if record.words is None:
        return Text(clipped(record.given))
    words = [
        (plain(word[:100]), "strike dim" if loss is None else _SHADES[shade(loss)])
        for word, loss in record.words[:100]
    ]
    return Text(" ").join([Text(word, style=style) for word, style in words])


def _words(found: Findings) -> Iterator[RenderableType]:
    if found.surprising:
        yield heading("Most surprising words", "mean loss each time")
        yield Padding(_word_lines(found.surprising), (0, 0, 0, 2))
    if found.outside:
        yield heading("Outside the dictionary", "not scored")
        said = ", ".join(f"{plain(word.word[:60])} ×{word.times:,}" for word in found.outside)
        yield Padding(Text(said), (0, 2, 0, 2))


def _word_lines(words: Sequence[Word]) -> Table:
    made = Table.grid(padding=(0, 2))
    for word in words:
        made.add_row(
            Text(plain(word.word[:60])),
            Text(f"{word.mean:.2f} nats", justify="right"),
            Text(f"×{word.times:,}", style="dim"),
        )
    return made


def clipped(text: str) -> str:
    """The text safe to print, its end left out where it is long."""
    return plain(text if len(text) <= _LONG else text[:_LONG] + " …")
