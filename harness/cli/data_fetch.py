"""`rostrum data fetch`: a known data set from the net into the cache."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from harness.cli.terminal import plain
from harness.data.download import Progress
from harness.data.fetch import FETCHABLE, Fetched
from harness.data.fetch import fetch as bring

LINE_SECONDS = 10.0
"""Through a pipe, how long it is between two lines."""


@click.command("fetch")
@click.argument("name", type=click.Choice(sorted(FETCHABLE)))
@click.option("--force", is_flag=True, help="Fetch it again though it is there.")
@click.option("--url", help="Another address of the same archive.", metavar="URL")
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    help="The archive, downloaded by other means.",
    metavar="FILE",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def fetch(name: str, *, force: bool, url: str | None, archive: Path | None, as_json: bool) -> None:
    """Download data set NAME once, check its sha256 and unpack it into the cache.

    What broke off is taken up again by the same command. Files of the set are then known by name,
    such as convai2:valid_self_original.
    """
    if url and archive:
        raise click.UsageError("--url and --archive exclude each other")
    try:
        with _shown(name) as progress:
            found = bring(FETCHABLE[name], url=url, archive=archive, force=force, progress=progress)
    except KeyboardInterrupt:
        click.echo("Stopped; the same command goes on from what is there.", err=True)
        sys.exit(1)
    click.echo(json.dumps(_document(found)) if as_json else _sentences(found))


def _document(found: Fetched) -> dict[str, object]:
    return {
        "name": found.name,
        "directory": str(found.folder),
        "new": found.new,
        "files": dict(sorted(found.files.items())),
    }


def _sentences(found: Fetched) -> str:
    megabytes = sum(found.files.values()) / 1e6
    place = f"{len(found.files)} files, {megabytes:,.1f} MB in {plain(str(found.folder))}"
    example = f"{found.name}:{Path(sorted(found.files)[-1]).stem}"
    said = "fetched" if found.new else "is there already (--force fetches it again)"
    return f"{found.name} {said}: {place}\nlook at one with: rostrum data show {plain(example)}"


@contextmanager
def _shown(name: str) -> Iterator[Progress]:
    """A bar on a terminal, else a line now and then; both beside the output."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"fetching {name}", total=None, start=True)
        yield lambda there, total: bar.update(task, completed=there, total=total)


class _Lines:
    """Progress for a log: the first line at once, the next ones `LINE_SECONDS` apart."""

    def __init__(self, name: str):
        self._name = name
        self._next = 0.0

    def __call__(self, there: int, total: int | None) -> None:
        now = time.monotonic()
        if now < self._next and there != total:
            return
        self._next = now + LINE_SECONDS
        of = f" of {total / 1e6:,.1f}" if total else ""
        click.echo(f"fetching {self._name}: {there / 1e6:,.1f}{of} MB", err=True)
