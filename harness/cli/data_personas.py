"""`rostrum data personas`: how well the personas of a file are told from what was said."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from harness.cli.data_files import (
    counted,
    dialogues,
    json_option,
    seed_option,
    shown,
    skip_bad_option,
)
from harness.cli.terminal import plain
from harness.data.personas import Looked, Told, told
from harness.metrics.persona import OTHERS
from harness.rendering import figures
from harness.report import Measure

MAX_OTHERS = 999


@click.command("personas")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--others",
    default=OTHERS,
    show_default=True,
    type=click.IntRange(1, MAX_OTHERS),
    metavar="N",
    help="Personas that stand beside the true one.",
)
@click.option(
    "--examples",
    default=3,
    show_default=True,
    type=click.IntRange(min=0, max=100),
    metavar="N",
    help="Show N dialogues whose persona is not told, the worst first.",
)
@seed_option
@skip_bad_option
@json_option
def personas(
    file: Path, *, others: int, examples: int, seed: int, skip_bad: int, as_json: bool
) -> None:
    """Rank the persona of each dialogue of FILE among others, by the replies that were given.

    This is what an agent can be held to on persona@1 (docs/metrics.md): the same measure of its
    replies stands in the report of the f1 track. The others are drawn from FILE and share no
    sentence with the true persona.
    """
    found = told(dialogues(file, skip_bad=skip_bad), others=others, seed=seed)
    hardest = found.hardest(examples)
    if as_json:
        told_worst = [_example(one) for one in hardest]
        document = {"file": str(file), "seed": seed, **_document(found), "examples": told_worst}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    heading = Text(plain(str(file)), style="bold")
    shown(heading, _table(found), *(_told_worst(one, found) for one in hardest))


def _document(found: Told) -> dict[str, object]:
    return {
        "dialogues": found.dialogues,
        "personas": found.personas,
        "groups": found.groups,
        "among": found.among,
        "chance": found.chance,
        "measures": [_figures(measure) for measure in found.measures],
        "control": None if found.control is None else _figures(found.control),
    }


def _figures(measure: Measure) -> dict[str, object]:
    names = ("name", "value", "low", "high", "n", "unit")
    return {name: getattr(measure, name) for name in names}


def _example(one: Looked) -> dict[str, object]:
    return {
        "number": one.number,
        "dialogue": one.dialogue.id,
        "rank": one.standing.rank,
        "persona": list(one.dialogue.persona),
        "taken_for": list(one.best),
    }


def _table(found: Told) -> Table:
    table = Table.grid(padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(found):
        table.add_row(name, Text(value))
    return table


def _rows(found: Told) -> Iterator[tuple[str, str]]:
    different = f"{found.personas:,} different in {counted(found.dialogues, 'dialogue')}"
    if found.groups < found.personas:
        different += f", {counted(found.groups, 'group')} that share sentences"
    yield "personas", different
    yield "lineup", f"each among {found.among}, {_beside(found)}"
    for measure in found.measures:
        yield figures.label(measure.name), _value(measure)
    if found.control is not None:
        yield "talks exchanged", f"{_value(found.control)}; chance {100 * found.chance:.4g} %"


def _beside(found: Told) -> str:
    if found.groups < found.among:
        return "none that shares a sentence with it; too few groups, so others do among each other"
    return "none that shares a sentence with it or another"


def _value(measure: Measure) -> str:
    value = figures.text(measure.value, measure.unit)
    of = counted(measure.n, "dialogue")
    return f"{value} (95 % interval {figures.interval(measure)}), {of}"


def _told_worst(one: Looked, found: Told) -> Table:
    """A dialogue whose persona was not told, and whose it was taken for."""
    place = one.standing.rank
    table = Table.grid(padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    stands = f"at {place} of {found.among}" if place > 1 else "as likely as others"
    table.add_row("dialogue", Text(f"{one.number:,}, its persona {stands}"))
    table.add_row("persona", Text(plain(" ".join(one.dialogue.persona))))
    if place > 1:
        table.add_row("taken for", Text(plain(" ".join(one.best))))
    return table
