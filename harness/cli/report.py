"""`rostrum report`: a report as people read it."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from harness.files import write_whole
from harness.rendering.sheet import as_json, sheet
from harness.report import Report

_IN_TERMINAL, _ON_PAGE = 5, 20


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one HTML page here.")
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@click.option(
    "--examples",
    type=click.IntRange(0, 1000),
    help=f"Show the N hardest examples.  [default: {_IN_TERMINAL}; on a page {_ON_PAGE}]",
)
@click.option("--name", help="What the run is called.  [default: the file's name]")
def report(
    file: Path, *, page: Path | None, as_document: bool, examples: int | None, name: str | None
) -> None:
    """Show the report in FILE: its score, measures, turns and hardest examples.

    Turns and examples are read from the records beside the report, which exist on public data.
    """
    keep = examples if examples is not None else (_ON_PAGE if page else _IN_TERMINAL)
    shown = sheet(Report.load(file), file, name=name or file.stem, keep=keep)
    if page is not None:
        from harness.rendering.page import page as rendered

        write_whole(page, rendered(shown).encode("utf-8"))
    if as_document:
        click.echo(json.dumps(as_json(shown), ensure_ascii=False, allow_nan=False, sort_keys=True))
    elif page is not None:
        click.echo(f"wrote {page}")
    elif sys.stdout.isatty():
        from harness.rendering.terminal import show

        show(shown, Console(highlight=False))
    else:
        from harness.rendering.lines import lines

        for line in lines(shown):
            click.echo(line)
