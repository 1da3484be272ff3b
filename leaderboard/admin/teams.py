"""`rostrum admin teams` and `rostrum admin quota`: who takes part, and how often."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console

from leaderboard import credentials, vault
from leaderboard import teams as rooms
from leaderboard.admin.keys import key, key_document, show_key, token
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    competition_option,
    iso,
    opened,
    reason_option,
    safe,
    table,
)
from leaderboard.ledger import Book, book, grant
from leaderboard.quota import stamp


@click.group("teams")
def teams() -> None:
    """Add and list teams."""


@teams.command("add")
@click.argument("name")
@click.option("--repo", "repo_url", required=True, metavar="URL", help="Its git repository.")
@click.option("--branch", default="main", show_default=True, help="Its registered branch.")
@click.option("--baseline", is_flag=True, help="An entry of the organizers: shown, not ranked.")
@competition_option
@as_json_option
def add(
    name: str,
    *,
    repo_url: str,
    branch: str,
    baseline: bool,
    competition_id: str | None,
    as_json: bool,
) -> None:
    """Add the team NAME, and print its token: it is shown this once.

    For a repository over ssh, a deploy key is made and its public half is printed.
    """
    db, chosen = opened(competition_id)
    over_ssh = credentials.kind_of(repo_url.strip()) == "ssh"
    if over_ssh:
        vault.read_key()  # before anything is stored
    added = rooms.add(db, chosen, name=name, repo_url=repo_url, branch=branch, baseline=baseline)
    made = credentials.make_key(db, added.team.id) if over_ssh else None

    def show(console: Console) -> None:
        console.print("Added team", safe(added.team.name), "to", safe(chosen))
        console.print(f"Token (shown once): {added.token}", markup=False, soft_wrap=True)
        if made is not None:
            show_key(console, made, repo_url=added.team.repo_url)

    document: Document = {"team": asdict(added.team), "token": added.token}
    document["deploy_key"] = key_document(made) if made is not None else None
    answer(document, as_json=as_json, show=show)


@teams.command("move")
@click.argument("name")
@click.option("--repo", "repo_url", required=True, metavar="URL", help="Its new git repository.")
@click.option("--branch", metavar="B", help="Its new registered branch.  [default: as before]")
@competition_option
@as_json_option
def move(
    name: str, *, repo_url: str, branch: str | None, competition_id: str | None, as_json: bool
) -> None:
    """Give the team NAME another repository, from its next submission on.

    A stored token is forgotten where the host is another one: it was for the old host.
    """
    db, chosen = opened(competition_id)
    found = rooms.by_name(db, chosen, name)
    over_ssh = credentials.kind_of(repo_url.strip()) == "ssh"
    if over_ssh:
        vault.read_key()
    moved = rooms.move(db, found.id, repo_url=repo_url, branch=branch)
    made = credentials.make_key(db, moved.id) if over_ssh else None

    def show(console: Console) -> None:
        line = f"{moved.name} is now cloned from {moved.repo_url}, branch {moved.branch}."
        console.print(safe(line), soft_wrap=True)
        if made is not None:
            show_key(console, made, repo_url=moved.repo_url)

    document: Document = {"team": asdict(moved)}
    document["deploy_key"] = key_document(made) if made is not None else None
    answer(document, as_json=as_json, show=show)


for command in (key, token):
    teams.add_command(command)


@teams.command("list")
@competition_option
@as_json_option
def list_teams(competition_id: str | None, as_json: bool) -> None:
    """List the teams, baselines last."""
    db, chosen = opened(competition_id)
    found = rooms.listing(db, chosen)
    opens = credentials.listing(db, chosen)
    made = table(
        ("id", "team", "", "repository", "branch", "opened by"),
        [
            (
                t.id,
                t.name,
                "baseline" if t.baseline else "",
                t.repo_url,
                t.branch,
                _opened_by(t, opens.get(t.id, ())),
            )
            for t in found
        ],
        empty="No teams yet: `rostrum admin teams add NAME --repo URL`.",
    )
    answer(
        {
            "teams": [
                {**asdict(team), "credentials": [one.kind for one in opens.get(team.id, ())]}
                for team in found
            ]
        },
        as_json=as_json,
        show=lambda console: console.print(made),
    )


def _opened_by(team: rooms.Team, stored: Sequence[credentials.Stored]) -> str:
    """What is shown to the host of the repository."""
    kind = credentials.kind_of(team.repo_url)
    public = next((one.public for one in stored if one.kind == kind), None)
    if public is None:
        return ""
    return "deploy key" if kind == "ssh" else f"token of {public}"


@click.group("quota")
def quota() -> None:
    """Show what teams have used, give them further scored runs."""


@quota.command("show")
@click.argument("team")
@competition_option
@as_json_option
def show_quota(team: str, competition_id: str | None, as_json: bool) -> None:
    """Show what TEAM has used in the current month (UTC), entry by entry."""
    db, chosen = opened(competition_id)
    found = book(db, rooms.by_name(db, chosen, team).id)
    made = table(
        ("when", "kind", "attempt", "submission", "reason"),
        [
            (stamp(entry.at), entry.kind.value, entry.attempt_id, entry.submission_id, entry.reason)
            for entry in found.entries
        ],
        empty="Nothing is written in this month.",
    )

    def show(console: Console) -> None:
        console.print(safe(found.team), "·", safe(found.usage.sentence), soft_wrap=True)
        if found.usage.refunds_waiting:
            console.print(
                "A refund that waits is given with `rostrum admin quota grant TEAM --reason ...`.",
                markup=False,
                soft_wrap=True,
            )
        console.print()
        console.print(made)

    answer(_book_document(found), as_json=as_json, show=show)


@quota.command("grant")
@click.argument("team")
@reason_option
@competition_option
@as_json_option
def grant_run(team: str, reason: str, competition_id: str | None, as_json: bool) -> None:
    """Grant TEAM one more scored run in the current month (UTC)."""
    kept = checked_reason(reason)
    db, chosen = opened(competition_id)
    found = rooms.by_name(db, chosen, team)
    usage = grant(db, team_id=found.id, reason=kept)

    def show(console: Console) -> None:
        console.print(f"Granted. {usage.sentence}", markup=False, soft_wrap=True)

    document = {"team": found.name, "month": usage.month, "allowed": usage.allowed}
    answer(document | {"used": usage.used}, as_json=as_json, show=show)


def _book_document(found: Book) -> Document:
    usage = found.usage
    return {
        "team": found.team,
        "month": usage.month,
        "used": usage.used,
        "allowed": usage.allowed,
        "preflights_used": usage.preflights_used,
        "preflights_allowed": usage.preflights_allowed,
        "refunds_waiting": usage.refunds_waiting,
        "opens": iso(usage.opens),
        "sentence": usage.sentence,
        "entries": [
            {
                "at": iso(entry.at),
                "kind": entry.kind.value,
                "attempt": entry.attempt_id,
                "submission": entry.submission_id,
                "reason": entry.reason,
            }
            for entry in found.entries
        ],
    }
