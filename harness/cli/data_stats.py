"""`rostrum data stats`: what files of dialogues hold, in numbers."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from harness.cli.data_files import counted, dialogues, json_option, shown, skip_bad_option
from harness.cli.terminal import plain
from harness.data.stats import Spread, Stats, stats


@click.command("stats")
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE..."
)
@skip_bad_option
@json_option
def show_stats(files: tuple[Path, ...], *, skip_bad: int, as_json: bool) -> None:
    """Count what each FILE holds, in one pass over it."""
    found = [(file, stats(dialogues(file, skip_bad=skip_bad))) for file in files]
    if as_json:
        rows = [{"file": str(file), **one.as_json()} for file, one in found]
        click.echo(json.dumps({"files": rows}, ensure_ascii=False))
        return
    shown(*(_table(file, one) for file, one in found))


def _table(file: Path, one: Stats) -> Table:
    table = Table(
        title=Text(plain(str(file)), style="bold"),
        title_justify="left",
        show_header=False,
        box=None,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(one):
        table.add_row(name, Text(value))
    return table


def _rows(one: Stats) -> Iterator[tuple[str, str]]:
    yield "dialogues", f"{one.dialogues:,}"
    yield "examples", f"{one.examples:,} ({_spread(one.turns)} a dialogue)"
    yield "words", f"{one.words:,}, {one.unique_words:,} different"
    yield "words of a reply", _spread(one.reply_words)
    yield "replies", f"{one.unique_replies:,} different after normalisation"
    yield "answers an example", _spread(one.labels)
    yield "candidates", _spread(one.candidates) if one.candidates.most else "none"
    yield "personas", f"{one.personas:,} different ({_spread(one.persona_sentences)} sentences)"
    yield "partner's persona", "in " + counted(one.with_partner_persona, "dialogue")
    yield "begun by the agent", counted(one.silent, "dialogue")
    yield "rewards", counted(one.rewards, "example")
    yield "repeated dialogues", f"{one.duplicate_dialogues:,}"
    yield "sha256", one.sha256


def _spread(of: Spread) -> str:
    if of.least == of.most:
        return f"{of.most:,}"
    return f"{of.least:,} to {of.most:,}, median {of.median:,}, 90 % up to {of.ninety:,}"
