"""`rostrum compare`: whether runs over one set differ by more than chance."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from harness.errors import UsageError
from harness.files import write_whole
from harness.rendering.contrast import Many, Two, as_json, called, many, two
from harness.report import Report

MOST = 50
"""Runs that are compared at once; their pairs grow with the square."""


@click.command("compare")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", help="Compare on this measure.  [default: the score, and all in common]")
@click.option("--names", help="What the runs are called, separated by commas.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one HTML page here.")
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
def compare(
    files: tuple[Path, ...],
    *,
    metric: str | None,
    names: str | None,
    page: Path | None,
    as_document: bool,
) -> None:
    """Say whether the runs in FILES (reports over one set) differ by more than chance.

    Two runs: the second less the first, on every measure that both hold, each with a 95 % interval
    and p. More: one measure, every pair, p adjusted for many, and the ranks that each may have.
    """
    if not 2 <= len(files) <= MOST:
        raise UsageError(f"compare takes 2 to {MOST} reports, not {len(files)}")
    reports = [Report.load(file) for file in files]
    known = called(names, [file.stem for file in files])
    shown: Two | Many = (two if len(files) == 2 else many)(known, reports, metric=metric)
    if page is not None:
        from harness.rendering.contrast_page import page as rendered

        write_whole(page, rendered(shown).encode("utf-8"))
    if as_document:
        click.echo(json.dumps(as_json(shown), ensure_ascii=False, allow_nan=False, sort_keys=True))
    elif page is not None:
        click.echo(f"wrote {page}")
    else:
        _print(shown)


def _print(shown: Two | Many) -> None:
    from harness.rendering import contrast_terminal

    if sys.stdout.isatty():
        contrast_terminal.show(shown, Console(highlight=False))
    else:
        for line in contrast_terminal.lines(shown):
            click.echo(line)
