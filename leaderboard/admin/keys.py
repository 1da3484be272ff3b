"""`rostrum admin teams key` and `token`: what opens the private repository of a team."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console

from harness.errors import UsageError
from leaderboard import credentials
from leaderboard import teams as rooms
from leaderboard.admin.files import read_text
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    competition_option,
    iso,
    opened,
    safe,
)
from leaderboard.credentials import Stored

MAX_TOKEN_BYTES = 4096


@click.command("key")
@click.argument("name")
@click.option("--new", is_flag=True, help="Replace the key: the old one opens nothing any more.")
@competition_option
@as_json_option
def key(name: str, *, new: bool, competition_id: str | None, as_json: bool) -> None:
    """Print the public half of NAME's deploy key; it is made where there is none.

    The private half stays in the database, encrypted, and is opened only while a worker clones.
    """
    db, chosen = opened(competition_id)
    team = rooms.by_name(db, chosen, name)
    made = credentials.make_key(db, team.id, new=new)
    document = {"team": team.name, "deploy_key": key_document(made)}
    answer(
        document,
        as_json=as_json,
        show=lambda console: show_key(console, made, repo_url=team.repo_url),
    )


@click.command("token")
@click.argument("name")
@click.option("--user", metavar="USER", help="The user that the git host wants with the token.")
@click.option("--file", type=click.Path(path_type=Path), help="Read the token from a file.")
@click.option("--forget", is_flag=True, help="Remove the stored token instead.")
@competition_option
@as_json_option
def token(
    name: str,
    *,
    user: str | None,
    file: Path | None,
    forget: bool,
    competition_id: str | None,
    as_json: bool,
) -> None:
    """Store the token that opens NAME's repository over https, encrypted.

    It is read from standard input, or from --file; never from the command line, where others on
    the machine could read it. Give it the right to read this one repository, and no other.
    """
    if forget == (user is not None):
        raise UsageError(
            "give either --user USER or --forget",
            hint="For example `rostrum admin teams token NAME --user oauth2 < token.txt`.",
        )
    db, chosen = opened(competition_id)
    team = rooms.by_name(db, chosen, name)
    if user is None:
        gone = credentials.forget(db, team.id, "https")
        text = f"Forgot the token of {team.name}." if gone else f"{team.name} has no token."
        answer(
            {"team": team.name, "forgotten": gone},
            as_json=as_json,
            show=lambda console: console.print(safe(text)),
        )
        return
    _expect_https(team)
    kept = credentials.keep_token(db, team.id, user=user, token=_read_token(file))
    answer(
        {"team": team.name, "user": kept.public, "created_at": iso(kept.created_at)},
        as_json=as_json,
        show=lambda console: console.print(
            safe(f"Kept the token of {kept.public} for {team.name}, encrypted."), soft_wrap=True
        ),
    )


def key_document(stored: Stored) -> Document:
    """A deploy key in JSON."""
    return {
        "public": stored.public,
        "fingerprint": credentials.fingerprint(stored.public),
        "created_at": iso(stored.created_at),
    }


def show_key(console: Console, stored: Stored, *, repo_url: str) -> None:
    """The key to paste, and what else must be done before a worker can clone."""
    for line in (
        f"Deploy key ({credentials.fingerprint(stored.public)}):",
        stored.public,
        "Paste it into the settings of the repository as a deploy key that may only read",
        "(GitHub: Settings, Deploy keys; GitLab: Settings, Repository, Deploy keys).",
        *_about_host(repo_url),
    ):
        console.print(line, markup=False, soft_wrap=True)


def _about_host(repo_url: str) -> list[str]:
    """How workers come to know the host's own key."""
    if credentials.kind_of(repo_url) != "ssh":
        return [f"It is used once the team's repository is an ssh address; now it is {repo_url}."]
    text = repo_url if repo_url.startswith("ssh://") else f"ssh://{repo_url.partition(':')[0]}"
    try:
        host, port = urlsplit(text).hostname, urlsplit(text).port
    except ValueError:
        return []
    scan = f"ssh-keyscan -t ed25519{f' -p {port}' if port else ''} {host}"
    return [
        f"Each worker must know the host: `{scan} >> known_hosts` (ROSTRUM_KNOWN_HOSTS), after",
        "comparing the fingerprint with the one that the host publishes.",
    ]


def _expect_https(team: rooms.Team) -> None:
    if credentials.kind_of(team.repo_url) != "https":
        raise UsageError(
            f"the repository of {team.name} is not an https address: {team.repo_url}",
            code="not_https",
            hint="Use a deploy key (`rostrum admin teams key NAME`), or give the team its https "
            "address first (`rostrum admin teams move NAME --repo URL`).",
        )


def _read_token(file: Path | None) -> str:
    if file is not None:
        return read_text(file, limit=MAX_TOKEN_BYTES, bad="bad_token")
    if sys.stdin.isatty():
        return str(click.prompt("Token (it is not shown)", hide_input=True, err=True))
    return sys.stdin.read(MAX_TOKEN_BYTES)
