"""The sweep: nothing stays anywhere for ever.

`rostrum beat` calls it every minute in its own process, never as a task. Silent workers lose
their attempt, states past their limit end, asked-for cancellations whose worker is gone happen,
old logs go. Safe to run twice, or on two machines.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from harness.errors import OperatorError, SubmissionError
from leaderboard import endings, settings
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, PreflightLog
from leaderboard.states import STAGES, Queue, State

UNATTENDED = timedelta(hours=1)
"""After so long in a waiting state, the organizers are told."""

LOG_LIFE = timedelta(days=90)
"""How long preflight logs are kept."""

_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)
_WAITING = {state: stage.queue for state, stage in STAGES.items() if stage.queue is not None}


@dataclass(frozen=True, slots=True)
class Hint:
    """An attempt that waits for a worker, and the queue that tells one."""

    attempt_id: int
    queue: Queue


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, as attempt ids; `logs` counts deleted preflight logs.

    `unattended` were left as they are: they wait for a worker for longer than an hour.
    """

    lost: tuple[int, ...] = ()
    overdue: tuple[int, ...] = ()
    cancelled: tuple[int, ...] = ()
    unattended: tuple[int, ...] = ()
    logs: int = 0


def waiting(db: Database) -> list[Hint]:
    """Every attempt that waits for a worker, the longest waiting first."""
    with db.read() as session:
        rows = session.execute(
            select(Attempt.id, Attempt.state)
            .where(Attempt.state.in_(_WAITING))
            .order_by(Attempt.state_since, Attempt.id)
        )
        return [Hint(attempt_id, _WAITING[state]) for attempt_id, state in rows]


def sweep(db: Database) -> Swept:
    """End or send back whatever is stuck at this moment; see the module."""
    lost, overdue, cancelled, unattended = [], [], [], []
    silence = settings.lost_after()
    with db.write() as session:
        moment = now(session)
        for attempt in _held(session):
            if _is_silent(attempt, moment, silence):
                if attempt.stop:
                    endings.cancel(
                        session,
                        attempt,
                        reason="stop was asked for; worker is gone",
                        code=endings.LOST_CODE,
                    )
                    cancelled.append(attempt.id)
                else:
                    endings.lose(session, attempt)
                    lost.append(attempt.id)
            elif _is_overdue(attempt, moment):
                endings.end_by(session, attempt, _overdue_error(attempt.state))
                overdue.append(attempt.id)
        unattended = list(
            session.scalars(
                select(Attempt.id)
                .where(Attempt.state.in_(_WAITING), Attempt.state_since < moment - UNATTENDED)
                .order_by(Attempt.state_since)
            )
        )
        logs = _forget_logs(session, before=moment - LOG_LIFE)
    return Swept(tuple(lost), tuple(overdue), tuple(cancelled), tuple(unattended), logs)


def _held(session: Session) -> list[Attempt]:
    chosen = select(Attempt).where(Attempt.state.in_(_LEASED)).order_by(Attempt.id)
    return list(session.scalars(chosen.with_for_update(skip_locked=True)))


def _is_silent(attempt: Attempt, moment: datetime, silence: timedelta) -> bool:
    return moment - (attempt.heartbeat_at or attempt.state_since) > silence


def _is_overdue(attempt: Attempt, moment: datetime) -> bool:
    limit = STAGES[attempt.state].limit
    return limit is not None and moment - attempt.state_since > limit


def _overdue_error(state: State) -> SubmissionError | OperatorError:
    """A preflight past its limit is the submission's own; any other state is a stuck worker's."""
    if state is State.PREFLIGHT:
        return SubmissionError("total_timeout")
    return OperatorError(endings.LOST_CODE)


def _forget_logs(session: Session, *, before: datetime) -> int:
    gone = session.execute(delete(PreflightLog).where(PreflightLog.at < before))
    assert isinstance(gone, CursorResult)
    return gone.rowcount
