"""A rerun: another attempt of the same submission, because an organizer asked for it.

It may follow an attempt in any state. An open one is ended first, and its place in the quota passes
on to the new one; a rerun of an attempt that has ended costs the team nothing. Commit, split and
month stay those of the submission.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import endings, quota
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Submission, Team
from leaderboard.intake import Accepted
from leaderboard.locks import expect_unlocked
from leaderboard.states import STAGES, State
from leaderboard.transitions import log


def rerun(db: Database, submission_id: int, *, reason: str) -> Accepted:
    """Make another attempt of a submission; `new` is false where one was just made.

    A waiting attempt is cancelled at once, the worker of a leased one is asked to stop.
    `UsageError` codes: `unknown_submission`, `locked`.
    """
    with db.write() as session:
        team = _locked_team(session, submission_id)
        expect_unlocked(session, team.competition_id)
        attempts = _attempts(session, submission_id)
        latest = attempts[-1]
        if len(attempts) > 1 and _untouched(latest):
            return Accepted(submission_id, latest.id, new=False)
        made = _insert(session, latest, reason=reason)
        if not STAGES[latest.state].final:
            quota.pass_on(session, latest, made)
            endings.end_open(session, latest, reason=f"rerun as attempt {made.id}: {reason}")
        return Accepted(submission_id, made.id)


def _locked_team(session: Session, submission_id: int) -> Team:
    """The submission's team, locked until the end of the transaction: two clicks take turns."""
    team = session.scalar(
        select(Team)
        .join(Submission, Submission.team_id == Team.id)
        .where(Submission.id == submission_id)
        .with_for_update(of=Team, key_share=True)
    )
    if team is None:
        raise UsageError(f"there is no submission {submission_id}", code="unknown_submission")
    return team


def _attempts(session: Session, submission_id: int) -> list[Attempt]:
    """The attempts of a submission, the latest last, each as it is while we hold it."""
    chosen = select(Attempt).where(Attempt.submission_id == submission_id).order_by(Attempt.id)
    return list(session.scalars(chosen.with_for_update()))


def _untouched(attempt: Attempt) -> bool:
    """Whether no worker has ever had it."""
    return attempt.state is State.RECEIVED and attempt.fence == 0


def _insert(session: Session, before: Attempt, *, reason: str) -> Attempt:
    moment = now(session)
    made = Attempt(
        submission_id=before.submission_id,
        team_id=before.team_id,
        accepted_at=moment,
        month=before.month,
        split=before.split,
        state=State.RECEIVED,
        state_since=moment,
        turn=moment,
        gpu=before.gpu,
    )
    session.add(made)
    session.flush()
    log(session, made, source=None, note=f"rerun of attempt {before.id}: {reason}")
    return made
