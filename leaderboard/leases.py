"""A worker's hold on one attempt: what it is told, and whether the hold still stands."""

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.agent import TRACKS, Track
from leaderboard.db.models import Attempt, Role, Submission, Team
from leaderboard.states import STAGES, State
from leaderboard.transitions import Lost


@dataclass(frozen=True, slots=True)
class Work:
    """One lease of one attempt: what a worker needs to know, as of its last call.

    `commit` is None until the attempt was fetched once; after that it must be fetched exactly.
    `split` is the role of the data set to score on. `gpu` says that it wants one.
    """

    attempt_id: int
    fence: int
    state: State
    competition_id: str
    team_id: int
    team: str
    repo_url: str
    ref: str
    commit: str | None
    losses: int
    retries: int
    tracks: tuple[Track, ...]
    environment: str | None
    image: str | None
    split: str = Role.TEST.value
    gpu: bool = False


class StopAsked(Exception):  # noqa: N818  # an outcome that callers handle, not a mistake
    """Somebody asked for the end of the attempt: it takes no further step.

    Nothing was written. The worker ends its sandbox and says so with `ledger.stopped`.
    """


def locked(session: Session, attempt_id: int) -> Attempt | None:
    """The attempt, locked until the end of the transaction; None if there is none."""
    return session.scalar(select(Attempt).where(Attempt.id == attempt_id).with_for_update())


def fenced(session: Session, work: Work) -> Attempt:
    """The attempt of `work`, locked; `Lost` once another lease has begun."""
    attempt = locked(session, work.attempt_id)
    if attempt is None or attempt.fence != work.fence:
        raise Lost(f"the lease {work.fence} of attempt {work.attempt_id} has ended")
    return attempt


def leased(session: Session, work: Work) -> Attempt:
    """The attempt of `work`, locked and still held in the same state; else `Lost`."""
    attempt = fenced(session, work)
    if attempt.state is not work.state or not STAGES[attempt.state].leased:
        raise Lost(f"attempt {work.attempt_id} is {attempt.state}, no longer {work.state}")
    return attempt


def unstopped(session: Session, work: Work) -> Attempt:
    """As `leased`, for a step forward; `StopAsked` if the attempt is to end instead."""
    attempt = leased(session, work)
    if attempt.stop:
        raise StopAsked(f"attempt {work.attempt_id} was asked to stop")
    return attempt


def work_of(session: Session, attempt: Attempt) -> Work:
    """What the holder of this attempt is told now."""
    submission, team = session.execute(
        select(Submission, Team)
        .join(Team, Team.id == Submission.team_id)
        .where(Submission.id == attempt.submission_id)
    ).one()
    return Work(
        attempt_id=attempt.id,
        fence=attempt.fence,
        state=attempt.state,
        competition_id=team.competition_id,
        team_id=team.id,
        team=team.name,
        repo_url=team.repo_url,
        ref=submission.ref,
        commit=submission.commit,
        losses=attempt.losses,
        retries=attempt.retries,
        tracks=_entered(attempt),
        environment=attempt.environment,
        image=attempt.image,
        split=attempt.split.value,
        gpu=attempt.gpu,
    )


def further(work: Work, attempt: Attempt, *, commit: str | None) -> Work:
    """What the holder is told one step on; what cannot have changed is taken from `work`."""
    return replace(
        work,
        state=attempt.state,
        commit=commit,
        tracks=_entered(attempt),
        environment=attempt.environment,
        image=attempt.image,
        gpu=attempt.gpu,
    )


def _entered(attempt: Attempt) -> tuple[Track, ...]:
    entered = set(attempt.tracks or ())
    return tuple(track for track in TRACKS if track in entered)
