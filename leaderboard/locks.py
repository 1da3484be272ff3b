"""Whether a competition is locked: the one question that other modules ask of a lock."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.people import Lock
from leaderboard.quota import stamp


def expect_unlocked(session: Session, competition_id: str) -> None:
    """`UsageError` (`locked`) once the competition is locked: nothing may be scored any more."""
    at = session.scalar(select(Lock.at).where(Lock.competition_id == competition_id))
    if at is not None:
        raise UsageError(
            f"competition {competition_id} was locked at {stamp(at)}; its scores are final",
            code="locked",
        )
