"""Whose turn it is: the fair order of what waits, and a worker's taking of it.

A queue is ordered by `turn`: when the attempt began to wait, or when another attempt of its team
was last taken, so the teams go round and among them the longest waiting comes first. One attempt a
team is `running` at a time; the others of the team are passed by and hold nobody up.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from leaderboard import endings, quota
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Team, Worker
from leaderboard.leases import Work, leased, work_of
from leaderboard.states import STAGES, Queue, State
from leaderboard.transitions import move

_LEASES = {State.RECEIVED: State.FETCHING, State.QUEUED: State.RUNNING}
_WAITING = {state: stage.queue for state, stage in STAGES.items() if stage.queue is not None}
_STATE_OF = {queue: state for state, queue in _WAITING.items()}

RACES = 100
"""How many attempts in a row another worker may snatch away before this one gives up."""


@dataclass(frozen=True, slots=True)
class Hint:
    """An attempt that waits for a worker, and the queue that tells one (with a GPU)."""

    attempt_id: int
    queue: Queue
    gpu: bool = False


def waiting(db: Database, *, most: int | None = None) -> list[Hint]:
    """What a worker may take now, in the order of the turns; at most `most` of each kind."""
    with db.read() as session:
        free = _free(now(session))
        return [
            Hint(attempt_id, queue, gpu)
            for state, queue in _WAITING.items()
            for gpu in (False, True)
            for attempt_id in session.scalars(
                select(Attempt.id)
                .where(Attempt.state == state, Attempt.gpu == gpu, *free)
                .order_by(Attempt.turn, Attempt.id)
                .limit(most)
            )
        ]


def ahead(session: Session, attempt: Attempt) -> int | None:
    """How many attempts of the same queue have their turn before this one; None: it waits not."""
    if STAGES[attempt.state].queue is None:
        return None
    place = tuple_(Attempt.turn, Attempt.id)
    return session.scalar(
        select(func.count())
        .select_from(Attempt)
        .where(
            Attempt.state == attempt.state,
            Attempt.gpu == attempt.gpu,
            place < (attempt.turn, attempt.id),
        )
    )


def held_up(session: Session, attempt: Attempt) -> bool:
    """Whether it waits to be scored while another attempt of its team is."""
    if attempt.state is not State.QUEUED:
        return False
    running = select(Attempt.id).where(
        Attempt.team_id == attempt.team_id, Attempt.state == State.RUNNING
    )
    return session.scalar(running.limit(1)) is not None


def lease(
    db: Database, attempt_id: int, *, worker: str, gpu: Collection[bool] = (False,)
) -> Work | None:
    """Take a waiting attempt: received -> fetching, or queued -> running, which charges it.

    `gpu` says which attempts the worker takes: those that want no GPU, those that do, or both.
    None if this one is not to be had: it does not wait (any more), wants (no) GPU, waits for its
    next try, its team has another one running, or the worker is drained.
    """
    with db.write() as session:
        return _take(session, Attempt.id == attempt_id, worker=worker, gpu=gpu)


def lease_next(
    db: Database, queue: Queue, *, worker: str, gpu: Collection[bool] = (False,)
) -> Work | None:
    """As `lease`, of the attempt in this queue whose turn it is; None if there is none."""
    if not is_any(db, queue, worker=worker, gpu=gpu):  # an idle look keeps no writer off
        return None
    with db.write() as session:
        return _take(session, _of(queue), worker=worker, gpu=gpu)


def is_any(db: Database, queue: Queue, *, worker: str, gpu: Collection[bool] = (False,)) -> bool:
    """Whether `lease_next` would find one at this moment."""
    with db.read() as session:
        found = session.scalar(_chosen(session, _of(queue), worker=worker, gpu=gpu))
    return found is not None


def wants_gpu(db: Database, attempt_id: int) -> bool:
    """Whether the attempt asks for a worker with a GPU."""
    with db.read() as session:
        return bool(session.scalar(select(Attempt.gpu).where(Attempt.id == attempt_id)))


def give_back(db: Database, work: Work, *, gone: bool) -> State:
    """End the lease because the worker is being stopped: back to wait, nobody's fault.

    Neither loss nor retry is counted. One that was asked to stop ends instead, `gone` as in
    `ledger.stopped`. Returns the state that follows; `Lost` if the lease has ended.
    """
    with db.write() as session:
        attempt = leased(session, work)
        endings.give_back(session, attempt, gone=gone)
        return attempt.state


def needs_gpu(db: Database, work: Work) -> None:
    """Send an attempt that is being fetched or built to the workers that have a GPU.

    No retry is counted. `Lost` if the lease has ended; `ValueError` in any other state.
    """
    if work.state not in (State.FETCHING, State.BUILDING):
        raise ValueError(f"an attempt that is {work.state} cannot change to another worker")
    with db.write() as session:
        endings.to_gpu(session, leased(session, work))


def _take(
    session: Session, chosen: ColumnElement[bool], *, worker: str, gpu: Collection[bool]
) -> Work | None:
    """Lease the first chosen attempt that is to be had.

    Its team is locked first, so that two workers cannot both run one of its attempts, and a team
    that another worker is just serving is passed by.
    """
    for _ in range(RACES):
        first = _chosen(session, chosen, worker=worker, gpu=gpu)
        found = session.scalar(first.with_for_update(of=Team, skip_locked=True, key_share=True))
        if found is None:
            return None
        attempt = session.scalar(
            select(Attempt)
            .where(Attempt.id == found, Attempt.state.in_(_LEASES), *_free(now(session)))
            .with_for_update(of=Attempt)
        )
        if attempt is not None:
            return _leased(session, attempt, worker=worker[:200])
    return None


def _of(queue: Queue) -> ColumnElement[bool]:
    return Attempt.state == _STATE_OF[queue]


def _chosen(
    session: Session, chosen: ColumnElement[bool], *, worker: str, gpu: Collection[bool]
) -> Select[int]:
    """The first chosen attempt that this worker may take."""
    drained = exists().where(Worker.name == worker[:200], Worker.drained_at.is_not(None))
    return (
        select(Attempt.id)
        .join(Team, Team.id == Attempt.team_id)
        .where(
            chosen,
            Attempt.state.in_(_LEASES),
            Attempt.gpu.in_(gpu),
            *_free(now(session)),
            ~drained,
        )
        .order_by(Attempt.turn, Attempt.id)
        .limit(1)
    )


def _free(moment: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What a waiting attempt must be to be taken: due, and its team not running another one."""
    other = aliased(Attempt)
    running = exists().where(other.team_id == Attempt.team_id, other.state == State.RUNNING)
    return (
        or_(Attempt.not_before.is_(None), Attempt.not_before <= moment),
        ~and_(Attempt.state == State.QUEUED, running),
    )


def _leased(session: Session, attempt: Attempt, *, worker: str) -> Work:
    target = _LEASES[attempt.state]
    if target is State.RUNNING:
        quota.charge(session, attempt)
    moment = now(session)
    move(
        session,
        attempt,
        target,
        worker=worker,
        fence=attempt.fence + 1,
        heartbeat_at=moment,
    )
    session.execute(  # the team had its turn: what else it has waiting goes behind the others
        update(Attempt)
        .where(Attempt.team_id == attempt.team_id, Attempt.state.in_(_WAITING))
        .values(turn=moment)
        .execution_options(synchronize_session=False)
    )
    return work_of(session, attempt)
