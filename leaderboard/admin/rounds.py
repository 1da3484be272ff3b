"""`rostrum admin round`: the monthly round over all teams, run by hand or seen as it stands."""

import re
from collections import Counter
from datetime import datetime

import click
from rich.console import Console

from leaderboard import hints, schedule
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
from leaderboard.quota import stamp
from leaderboard.rounds import Line, Ran
from leaderboard.states import Queue

_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")


@click.group("round")
def rounds() -> None:
    """Run the monthly round, or show it."""


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


@rounds.command("show")
@click.option("--month", metavar="YYYY-MM", help="Of this UTC month; else of the current one.")
@competition_option
@as_json_option
def show(month: str | None, competition_id: str | None, as_json: bool) -> None:
    """Show what the round of a month did with each team, and when the next one begins."""
    if month is not None and not _MONTH.fullmatch(month):
        raise click.BadParameter(
            f"{month[:20]!r} is no month; write e.g. 2026-12", param_hint="--month"
        )
    db, chosen = opened(competition_id)
    ran = running.show(db, chosen, month=month)
    following = schedule.upcoming(db, chosen)
    document = (_document(ran) if ran else {}) | {"next": iso(following)}
    answer(document, as_json=as_json, show=lambda console: _show_all(console, ran, following))


def _show_all(console: Console, ran: Ran | None, following: datetime | None) -> None:
    if ran is not None:
        begins = f"{stamp(ran.at)}{f', {ran.reason}' if ran.reason else ''}"
        console.print(f"Round of {ran.month} in {ran.competition_id}: {begins}.", markup=False)
        console.print()
        _table(console, ran)
    else:
        console.print("There is no round of this month.")
    console.print()
    said = f"begins at {stamp(following)}" if following else "none is planned (docs/states.md)"
    console.print(f"Next round by schedule: {said}.", markup=False, soft_wrap=True)


def _show(console: Console, ran: Ran) -> None:
    counts = Counter(line.new and line.code == running.SUBMITTED for line in ran.lines)
    title = f"Round of {ran.month} (UTC) in {ran.competition_id}: {counts[True]} submitted now"
    console.print(f"{title}, {len(ran.lines)} teams.", markup=False, soft_wrap=True)
    if ran.closed is not None:
        console.print("Nobody is submitted:", safe(ran.closed), soft_wrap=True)
    console.print()
    _table(console, ran)


def _table(console: Console, ran: Ran) -> None:
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
        "began": iso(ran.at),
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
