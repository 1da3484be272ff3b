"""`rostrum admin teams` and `rostrum admin quota`: who takes part, and how often."""

from dataclasses import asdict

import click
from rich.console import Console

from leaderboard import teams as rooms
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
    """Add the team NAME, and print its token: it is shown this once."""
    db, chosen = opened(competition_id)
    added = rooms.add(db, chosen, name=name, repo_url=repo_url, branch=branch, baseline=baseline)

    def show(console: Console) -> None:
        console.print("Added team", safe(added.team.name), "to", safe(chosen))
        console.print(f"Token (shown once): {added.token}", markup=False, soft_wrap=True)

    answer({"team": asdict(added.team), "token": added.token}, as_json=as_json, show=show)


@teams.command("list")
@competition_option
@as_json_option
def list_teams(competition_id: str | None, as_json: bool) -> None:
    """List the teams, baselines last."""
    db, chosen = opened(competition_id)
    found = rooms.listing(db, chosen)
    made = table(
        ("id", "team", "", "repository", "branch"),
        [(t.id, t.name, "baseline" if t.baseline else "", t.repo_url, t.branch) for t in found],
        empty="No teams yet: `rostrum admin teams add NAME --repo URL`.",
    )
    answer(
        {"teams": [asdict(team) for team in found]},
        as_json=as_json,
        show=lambda console: console.print(made),
    )


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
