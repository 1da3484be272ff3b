"""The sweep: nothing stays anywhere for ever.

`rostrum beat` calls it every minute in its own process, never as a task. Silent workers lose
their attempt, and are drained when they lose too many; states past their limit end, asked-for ends
whose worker is gone happen, organizers are told of what nobody takes, old logs go. Safe to run
twice, or on two machines.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, exists, select
from sqlalchemy.orm import Session

from harness.errors import OperatorError, SubmissionError
from leaderboard import endings, fleet, settings
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Event, PreflightLog
from leaderboard.pace import Pace, set_right
from leaderboard.states import STAGES, State
from leaderboard.transitions import log

UNATTENDED = timedelta(hours=1)
"""After so long in a waiting state, the organizers are told."""

LOG_LIFE = timedelta(days=90)
"""How long preflight logs are kept."""

UNATTENDED_CODE = "unattended"
"""The code of the line in a timeline that says so; one for each stay in a waiting state."""

TOLD_AT_ONCE = 100
"""Of how many attempts one sweep tells the organizers: the others' turn is at the next one."""

_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)
_WAITING = tuple(state for state, stage in STAGES.items() if stage.queue is not None)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, as attempt ids; `logs` counts deleted preflight logs.

    `unattended` were left as they are: they wait for a worker for longer than an hour, and this is
    the first sweep that says so. `drained` are the workers that have lost too many attempts.
    `stepped` is by how much the database's clock was found to be stepped.
    """

    lost: tuple[int, ...] = ()
    overdue: tuple[int, ...] = ()
    cancelled: tuple[int, ...] = ()
    unattended: tuple[int, ...] = ()
    drained: tuple[str, ...] = ()
    logs: int = 0
    stepped: timedelta | None = None


def sweep(db: Database, *, pace: Pace | None = None) -> Swept:
    """End or send back whatever is stuck at this moment; see the module.

    Who sweeps again and again keeps a `pace`, by which it notices that the clock was stepped.
    """
    found = _Found()
    silence = settings.lost_after()
    with db.write() as session:
        moment = now(session)
        stepped = set_right(session, moment, pace)
        for attempt in _held(session):
            if _is_silent(attempt, moment, silence):
                _silent(session, attempt, found)
            elif _is_overdue(attempt, moment):
                endings.end_by(session, attempt, _overdue_error(attempt.state))
                found.overdue.append(attempt.id)
        drained = tuple(name for name in sorted(found.silent) if fleet.lost_some(session, name))
        unattended = _tell(session, before=moment - UNATTENDED)
        fleet.forget(session)
        logs = _forget_logs(session, before=moment - LOG_LIFE)
    return Swept(
        lost=tuple(found.lost),
        overdue=tuple(found.overdue),
        cancelled=tuple(found.cancelled),
        unattended=unattended,
        drained=drained,
        logs=logs,
        stepped=stepped,
    )


@dataclass(slots=True)
class _Found:
    lost: list[int] = field(default_factory=list)
    overdue: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)


def _silent(session: Session, attempt: Attempt, found: _Found) -> None:
    """Take the attempt from its worker, which has lost it."""
    worker = attempt.worker
    if attempt.stop:
        endings.end_asked(
            session, attempt, note="stop was asked for; worker is gone", code=endings.LOST_CODE
        )
        found.cancelled.append(attempt.id)
    else:
        endings.lose(session, attempt)
        found.lost.append(attempt.id)
    if worker is not None:
        found.silent.add(worker)


def _held(session: Session) -> list[Attempt]:
    chosen = select(Attempt).where(Attempt.state.in_(_LEASED)).order_by(Attempt.id)
    return list(session.scalars(chosen.with_for_update(skip_locked=True)))


def _tell(session: Session, *, before: datetime) -> tuple[int, ...]:
    """The attempts that have waited since `before`; each has that in its timeline, once a stay."""
    told = exists().where(
        Event.attempt_id == Attempt.id,
        Event.code == UNATTENDED_CODE,
        Event.at >= Attempt.state_since,
    )
    waiting = session.scalars(
        select(Attempt)
        .where(Attempt.state.in_(_WAITING), Attempt.state_since < before, ~told)
        .order_by(Attempt.state_since)
        .limit(TOLD_AT_ONCE)
    ).all()
    for attempt in waiting:
        note = "no worker has taken it for an hour: the organizers are told"
        log(session, attempt, source=None, code=UNATTENDED_CODE, note=note)
    return tuple(attempt.id for attempt in waiting)


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
