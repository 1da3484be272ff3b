"""`rostrum submit`: hands a commit of the registered repository to a site."""

import json
import os
import subprocess
from pathlib import Path

import click

from harness.errors import UsageError
from leaderboard.client import shown
from leaderboard.client.site import Site
from leaderboard.shown import one_line

GIT_SECONDS = 10.0


@click.command("submit")
@click.option("--site", required=True, metavar="URL", help="Address of the site's front page.")
@click.option("--ref", metavar="REF", help="Commit or branch; default: HEAD of this folder.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that holds the team's token; default: the variable ROSTRUM_TOKEN.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the site's document.")
def submit(site: str, ref: str | None, token_file: Path | None, as_json: bool) -> None:
    """Submit a commit of your team's registered repository."""
    with Site(site, token=team_token(token_file)) as door:
        document = door.submit(ref or head_commit(Path.cwd()))
        if as_json:
            click.echo(json.dumps(document, indent=2))
            return
        number = document.get("id")
        click.echo(shown.heading(document))
        click.echo(one_line(str(document.get("sentence", ""))))
        click.echo(f"Page:   {door.url}/submissions/{number}")
        click.echo(f"Follow: rostrum status {number} --site {door.url} --watch")


def team_token(token_file: Path | None) -> str:
    """The team's token from the file or `ROSTRUM_TOKEN`; `UsageError` if there is none."""
    token = optional_token(token_file)
    if token is None:
        raise UsageError(
            "no team token: set ROSTRUM_TOKEN or give --token-file FILE",
            code="no_token",
            hint="The organizer's `rostrum admin teams add` prints a team's token once.",
        )
    return token


def optional_token(token_file: Path | None) -> str | None:
    """The team's token, None where none was given; `UsageError` if it cannot be one."""
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the token file {token_file} cannot be read: {error}") from error
    else:
        token = os.environ.get("ROSTRUM_TOKEN", "")
    token = token.strip()
    if not token:
        return None
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > 200:
        raise UsageError("the team token is damaged: it must be one line of printable characters")
    return token


def head_commit(folder: Path) -> str:
    """The commit that `folder`'s HEAD names, 40 hex digits; `UsageError` outside a repository."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD^{commit}"],  # noqa: S607  # the user's own git
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"{folder} is not a git repository with a commit; give --ref REF",
            hint="REF is the full 40-digit id of a pushed commit, or the name of a branch or tag.",
        ) from error
    return answer.stdout.strip()
