"""A team's book: what it has used this month, entry by entry, and what organizers add to it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import quota
from leaderboard.competition import of_row
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Kind, QuotaEntry, Team
from leaderboard.db.models import Competition as CompetitionRow


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the book; a grant belongs to no attempt."""

    at: datetime
    kind: Kind
    attempt_id: int | None
    submission_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Book:
    """The current month of one team, its entries in the order in which they were written."""

    team: str
    usage: quota.Usage
    entries: tuple[Entry, ...]


def book(db: Database, team_id: int) -> Book:
    """The book of a team; `UsageError` (`unknown_team`) if there is no such team."""
    with db.read() as session:
        team = _team(session, team_id)
        usage = _usage(session, team)
        rows = session.execute(
            select(QuotaEntry, Attempt.submission_id)
            .outerjoin(Attempt, Attempt.id == QuotaEntry.attempt_id)
            .where(QuotaEntry.team_id == team.id, QuotaEntry.month == usage.month)
            .order_by(QuotaEntry.id)
        )
        entries = tuple(
            Entry(row.at, row.kind, row.attempt_id, submission_id, row.reason)
            for row, submission_id in rows
        )
        return Book(team.name, usage, entries)


def grant(db: Database, *, team_id: int, reason: str) -> quota.Usage:
    """Allow a team one more scored run this month; returns what it has used since.

    `UsageError` (`unknown_team`) if there is no such team.
    """
    with db.write() as session:
        team = _team(session, team_id)
        quota.grant(session, team.id, reason=reason)
        return _usage(session, team)


def _team(session: Session, team_id: int) -> Team:
    team = session.get(Team, team_id)
    if team is None:
        raise UsageError(f"there is no team {team_id}", code="unknown_team")
    return team


def _usage(session: Session, team: Team) -> quota.Usage:
    row = session.get_one(CompetitionRow, team.competition_id)
    return quota.usage(session, team.id, of_row(row).allowance)
