"""Which commit each branch of a round named, recorded once, while the submission still waits.

A round submits a branch; what counts is where it points when the round begins, not when a worker
comes to it hours later. `rostrum beat` asks the repositories at once and writes down what they
say. Who fetched first has settled it: a commit is only put where none is. A repository that does
not answer is asked again at every sweep, for an hour; then the worker's fetch settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, RoundEntry, Submission, Team
from leaderboard.intake import COMMIT
from leaderboard.leases import locked
from leaderboard.rounds import SUBMITTED, pass_over
from leaderboard.states import State
from leaderboard.transitions import log

PATIENCE = timedelta(hours=1)
"""How long after its submission a branch is still asked for."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch (or tag) of a round that waits, its commit not known yet."""

    submission_id: int
    attempt_id: int
    team_id: int
    team: str
    repo_url: str
    ref: str


def unresolved(db: Database) -> Sequence[Branch]:
    """What rounds have submitted lately that nobody has fetched, the first submitted first."""
    with db.read() as session:
        rows = session.execute(
            select(Submission.id, Attempt.id, Team.id, Team.name, Team.repo_url, Submission.ref)
            .join(RoundEntry, RoundEntry.submission_id == Submission.id)
            .join(Attempt, Attempt.submission_id == Submission.id)
            .join(Team, Team.id == Submission.team_id)
            .where(RoundEntry.code == SUBMITTED, RoundEntry.at >= now(session) - PATIENCE)
            .where(Submission.commit.is_(None), Attempt.state == State.RECEIVED, ~Attempt.stop)
            .order_by(Submission.id)
        )
        found = [Branch(*row) for row in rows]
    return [branch for branch in found if not COMMIT.fullmatch(branch.ref)]


def record(db: Database, branch: Branch, commit: str) -> bool:
    """Record the commit that the branch names; False where it is settled already.

    A commit that has its score passes the team over at once, as a worker would after its fetch.
    """
    with db.write() as session:
        attempt = locked(session, branch.attempt_id)
        if attempt is None or attempt.state is not State.RECEIVED or attempt.stop:
            return False  # a worker has it: its own fetch settles the commit
        if not _put(session, branch.submission_id, commit):
            return False
        if not pass_over(session, attempt, commit=commit, ref=branch.ref):
            note = f"{branch.ref} is at {commit[:12]}"
            log(session, attempt, source=None, note=note)
            _note(session, branch, f"{note}, as submission {branch.submission_id}")
        return True


def unanswered(db: Database, branch: Branch, *, reason: str) -> None:
    """Keep with the round's entry why the branch has no commit yet."""
    text = f"{branch.ref} as submission {branch.submission_id}; {reason}: a worker asks again"
    with db.write() as session:
        _note(session, branch, text)


def _put(session: Session, submission_id: int, commit: str) -> bool:
    put = session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.commit.is_(None))
        .values(commit=commit)
    )
    assert isinstance(put, CursorResult)
    return put.rowcount == 1


def _note(session: Session, branch: Branch, text: str) -> None:
    entry = session.scalar(
        select(RoundEntry).where(
            RoundEntry.submission_id == branch.submission_id, RoundEntry.code == SUBMITTED
        )
    )
    if entry is not None:
        entry.note = text[:500]
