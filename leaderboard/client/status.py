"""`rostrum status`: shows a submission, once or until it has ended."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from leaderboard.client import shown
from leaderboard.client.site import Document, Site, SiteError, UnreachableError
from leaderboard.client.submit import optional_token

POLL_SECONDS = 2.0

PATIENCE_SECONDS = 120.0
"""How long `--watch` bears a site that does not answer."""

BAD_ENDS = frozenset({"failed", "cancelled"})


@click.command("status")
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--site", required=True, metavar="URL", help="Address of the site's front page.")
@click.option("--watch", is_flag=True, help="Follow it until it has ended.")
@click.option("--log", is_flag=True, help="Print the preflight log too (needs the team's token).")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that holds the team's token; default: the variable ROSTRUM_TOKEN.",
)
@click.option("--timeout", type=float, default=86400.0, show_default=True, help="Seconds to watch.")
@click.option("--json", "as_json", is_flag=True, help="Print the site's document.")
def status(
    number: int,
    *,
    site: str,
    watch: bool,
    log: bool,
    token_file: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Show submission ID. Exit code 1 if it failed or was cancelled."""
    with Site(site, token=optional_token(token_file)) as door:
        show = _silent if as_json else _Printer()
        document = door.submission(number)
        show(document)
        if watch:
            document = _follow(door, number, document=document, show=show, seconds=timeout)
        if log:
            document = {**document, "logs": door.log(number).get("logs")}
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        for line in (*shown.outcome(document), *shown.logs(document)):
            click.echo(line)
    if document.get("state") in BAD_ENDS:
        sys.exit(1)


class _Printer:
    """Prints the heading first, each event once, and a place in the queue when it has changed."""

    def __init__(self) -> None:
        self.printed = 0
        self.head = False
        self.standing: list[str] = []

    def __call__(self, document: Document) -> None:
        if not self.head:
            click.echo(shown.heading(document))
            self.head = True
        lines = shown.events(document)
        for line in lines[self.printed :]:
            click.echo(line)
        self.printed = len(lines)
        standing = shown.standing(document)
        for line in standing:
            if line not in self.standing:
                click.echo(f"  {line}")
        self.standing = standing


def _silent(document: Document) -> None:
    """Print nothing: with --json the last document is the only output."""


def _follow(
    door: Site,
    number: int,
    *,
    document: Document,
    show: Callable[[Document], None],
    seconds: float,
) -> Document:
    """Ask until the submission has ended; bears short silences of the site."""
    deadline = time.monotonic() + seconds
    heard = time.monotonic()
    while not document.get("final"):
        if time.monotonic() > deadline:
            raise SiteError(
                f"submission {number} has not ended after {seconds:.0f} s",
                code="watch_timeout",
                hint=f"Look again: rostrum status {number} --site {door.url} --watch",
            )
        time.sleep(POLL_SECONDS)
        try:
            document = door.submission(number)
        except UnreachableError:
            if time.monotonic() - heard > PATIENCE_SECONDS:
                raise
            continue
        heard = time.monotonic()
        show(document)
    return document
