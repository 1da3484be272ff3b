"""`rostrum admin teams` and `rostrum admin quota`: who takes part, and how often."""

from dataclasses import asdict

import click
from rich.console import Console

from harness.errors import UsageError
from leaderboard import teams as rooms
from leaderboard.admin.output import (
    answer,
    as_json_option,
    competition_option,
    opened,
    safe,
    table,
)
from leaderboard.ledger import grant


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
    """Give teams further scored runs."""


@quota.command("grant")
@click.argument("team")
@click.option("--reason", required=True, help="Why; kept in the quota ledger.")
@competition_option
@as_json_option
def grant_run(team: str, reason: str, competition_id: str | None, as_json: bool) -> None:
    """Grant TEAM one more scored run in the current month (UTC)."""
    if not reason.strip():
        raise UsageError("--reason is empty; say why, it is kept")
    db, chosen = opened(competition_id)
    found = rooms.by_name(db, chosen, team)
    usage = grant(db, team_id=found.id, reason=reason.strip())

    def show(console: Console) -> None:
        console.print(f"Granted. {usage.sentence}", markup=False, soft_wrap=True)

    document = {"team": found.name, "month": usage.month, "allowed": usage.allowed}
    answer(document | {"used": usage.used}, as_json=as_json, show=show)
