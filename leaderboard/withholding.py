"""Hiding a score, and showing it again: a flag of a scored attempt, with a reason, reversible."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Submission
from leaderboard.human.moves import void_of_attempt
from leaderboard.states import State
from leaderboard.transitions import log


@dataclass(frozen=True, slots=True)
class Withheld:
    """The attempt that was meant, and the reason why its score is hidden; None: it is shown."""

    submission_id: int
    attempt_id: int
    reason: str | None


def withhold(db: Database, submission_id: int, *, reason: str, undo: bool = False) -> Withheld:
    """Hide the score of a submission, or with `undo` show it again; each time leaves an event.

    Meant is its latest scored attempt: a rerun that is under way or has failed does not put the
    score that stands on the board out of reach. Live chats with it are void. `UsageError` codes:
    `unknown_submission`, `not_scored`, `not_withheld`.
    """
    with db.write() as session:
        attempt = _scored(session, submission_id)
        if undo and attempt.withheld is None:
            raise UsageError(
                f"the score of submission {submission_id} is not withheld", code="not_withheld"
            )
        attempt.withheld = None if undo else reason
        what = "the score is shown again" if undo else "the score is withheld"
        log(session, attempt, source=None, note=f"{what}: {reason}")
        if not undo:
            void_of_attempt(session, attempt.id, "withheld")
        return Withheld(submission_id, attempt.id, attempt.withheld)


def _scored(session: Session, submission_id: int) -> Attempt:
    """The latest scored attempt of the submission, locked."""
    attempt = session.scalar(
        select(Attempt)
        .where(Attempt.submission_id == submission_id, Attempt.state == State.SCORED)
        .order_by(Attempt.id.desc())
        .limit(1)
        .with_for_update()
    )
    if attempt is not None:
        return attempt
    if session.get(Submission, submission_id) is None:
        raise UsageError(f"there is no submission {submission_id}", code="unknown_submission")
    raise UsageError(
        f"submission {submission_id} has no score that could be withheld",
        code="not_scored",
        hint=f"See `rostrum admin submissions show {submission_id}`.",
    )
