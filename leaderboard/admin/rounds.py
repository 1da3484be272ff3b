"""`rostrum admin round`: the monthly round over all teams."""

from collections import Counter

import click
from rich.console import Console

from leaderboard import hints
from leaderboard import rounds as running
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    competition_option,
    iso,
    opened,
    safe,
    table,
)
from leaderboard.rounds import Line, Ran
from leaderboard.states import Queue


@click.group("round")
def rounds() -> None:
    """Run the monthly round."""


@rounds.command("run")
@click.option("--reason", metavar="TEXT", help="Why it is run now; it is kept.")
@competition_option
@as_json_option
def run(reason: str | None, competition_id: str | None, as_json: bool) -> None:
    """Submit each team's registered branch, once in the current month (UTC); safe to repeat."""
    kept = "" if reason is None else checked_reason(reason)
    db, chosen = opened(competition_id)
    ran = running.run(db, chosen, reason=kept)
    for attempt_id in ran.attempts:
        if not hints.send(Queue.PREFLIGHT, attempt_id):
            break  # a broker that is away would cost seconds for each; the sweep hints again
    answer(_document(ran), as_json=as_json, show=lambda console: _show(console, ran))


def _show(console: Console, ran: Ran) -> None:
    counts = Counter(line.new and line.code == running.SUBMITTED for line in ran.lines)
    title = f"Round of {ran.month} (UTC) in {ran.competition_id}: {counts[True]} submitted now"
    console.print(f"{title}, {len(ran.lines)} teams.", markup=False, soft_wrap=True)
    if ran.closed is not None:
        console.print("Nobody is submitted:", safe(ran.closed), soft_wrap=True)
    console.print()
    console.print(
        table(
            ("team", "what happened", "reason"),
            [(line.team, running.WORDS[line.code], line.note) for line in ran.lines],
            empty="No teams yet: `rostrum admin teams add NAME --repo URL`.",
        )
    )


def _document(ran: Ran) -> Document:
    return {
        "competition": ran.competition_id,
        "month": ran.month,
        "reason": ran.reason,
        "closed": ran.closed,
        "teams": [_line_document(line) for line in ran.lines],
    }


def _line_document(line: Line) -> Document:
    return {
        "team": line.team,
        "baseline": line.baseline,
        "code": line.code,
        "reason": line.note,
        "submission": line.submission_id,
        "at": iso(line.at),
        "new": line.new,
    }
