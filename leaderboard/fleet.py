"""The workers as they announce themselves: what each takes, whether it lives, who takes no more.

A worker writes its row when it starts, refreshes it with every heartbeat and removes it when it
ends. One that loses attempts by its silence `MAX_WORKER_LOSSES` times is drained: it finishes what
it has and gets no further lease until an organizer resumes it. What it loses at one moment counts
once: it may have been a clock that was set, or the power.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import settings
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Worker
from leaderboard.states import STAGES

MAX_WORKER_LOSSES = 2
"""How often a worker may lose attempts before it is drained."""

FORGOTTEN = timedelta(days=7)
"""After so long a silence a worker's row is removed, unless it is drained."""

_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)


@dataclass(frozen=True, slots=True)
class Member:
    """One worker: as it announced itself, and how it stands now.

    `queues` are the message queues that it listens to (`leaderboard.hints.channel`), `slots` how
    many attempts of each it takes at a time, `gpu` its device. `alive` says that it was heard
    lately, `quiet` how long ago; `attempts` are those that it holds.
    """

    name: str
    queues: tuple[str, ...]
    slots: int
    gpu: str | None
    version: str
    started_at: datetime
    seen_at: datetime
    losses: int
    drained_at: datetime | None
    drain_reason: str | None
    alive: bool
    quiet: timedelta
    attempts: tuple[int, ...] = ()

    @property
    def taking(self) -> bool:
        """Whether it takes attempts: it lives, and is not drained."""
        return self.alive and self.drained_at is None


def announce(
    db: Database, name: str, *, queues: Iterable[str], slots: int, gpu: str | None, version: str
) -> str | None:
    """A worker starts; why it is drained, if it is.

    One of the same name as before keeps its losses, and stays drained.
    """
    with db.write() as session:
        row = _row(session, name)
        row.queues = ",".join(queues)[:200]
        row.slots = slots
        row.gpu = gpu and gpu[:80]
        row.version = version[:40]
        row.started_at = row.seen_at = now(session)
        return row.drain_reason if row.drained_at is not None else None


def seen(db: Database, name: str) -> None:
    """The worker lives; nothing happens if it never announced itself."""
    with db.write() as session:
        session.execute(
            update(Worker).where(Worker.name == name[:200]).values(seen_at=now(session))
        )


def left(db: Database, name: str) -> None:
    """The worker has ended as it should; what is held against it stays."""
    with db.write() as session:
        session.execute(
            delete(Worker).where(
                Worker.name == name[:200], Worker.losses == 0, Worker.drained_at.is_(None)
            )
        )


def listing(db: Database) -> list[Member]:
    """Every worker that has announced itself, by name."""
    with db.read() as session:
        return members(session)


def members(session: Session) -> list[Member]:
    """As `listing`, in the caller's transaction."""
    moment = now(session)
    held: dict[str, list[int]] = {}
    chosen = select(Attempt.worker, Attempt.id).where(Attempt.state.in_(_LEASED))
    for worker, attempt_id in session.execute(chosen.order_by(Attempt.id)):
        held.setdefault(worker or "", []).append(attempt_id)
    rows = session.scalars(select(Worker).order_by(Worker.name))
    return [_member(row, moment=moment, attempts=tuple(held.get(row.name, ()))) for row in rows]


def slots(session: Session, channel: str) -> int:
    """How many attempts of this message queue the workers that take any run at a time."""
    taking = [member for member in members(session) if member.taking and channel in member.queues]
    return sum(1 if channel.endswith(".gpu") else member.slots for member in taking)


def drain(db: Database, name: str, *, reason: str) -> bool:
    """Give the worker no further lease; whether it still got any until now.

    `UsageError` (`unknown_worker`) if there is none of this name.
    """
    with db.write() as session:
        row = _known(session, name)
        if row.drained_at is not None:
            return False
        _drain(session, row, reason=reason)
        return True


def resume(db: Database, name: str) -> bool:
    """Let a drained worker take attempts again, its losses forgotten; whether it was drained.

    `UsageError` (`unknown_worker`) if there is none of this name.
    """
    with db.write() as session:
        row = _known(session, name)
        was = row.drained_at is not None
        row.losses, row.drained_at, row.drain_reason = 0, None, None
        return was


def lost_some(session: Session, name: str) -> bool:
    """The worker has lost what it held by its silence; whether that drained it."""
    row = _row(session, name)
    row.losses += 1
    if row.losses < MAX_WORKER_LOSSES or row.drained_at is not None:
        return False
    _drain(session, row, reason=f"it has lost attempts by its silence {row.losses} times")
    return True


def forget(session: Session) -> None:
    """Remove the rows of workers that have been silent for long and are not drained."""
    session.execute(
        delete(Worker).where(Worker.seen_at < now(session) - FORGOTTEN, Worker.drained_at.is_(None))
    )


def _row(session: Session, name: str) -> Worker:
    """The worker's row, locked; a bare one is made where there is none."""
    row = session.get(Worker, name[:200], with_for_update=True)
    if row is None:
        moment = now(session)
        row = Worker(
            name=name[:200],
            queues="",
            slots=0,
            gpu=None,
            version="",
            started_at=moment,
            seen_at=moment,
            losses=0,
        )
        session.add(row)
        session.flush()
    return row


def _known(session: Session, name: str) -> Worker:
    row = session.get(Worker, name, with_for_update=True)
    if row is None:
        raise UsageError(
            f"there is no worker {name!r}",
            code="unknown_worker",
            hint="See `rostrum admin workers list`.",
        )
    return row


def _drain(session: Session, row: Worker, *, reason: str) -> None:
    row.drained_at, row.drain_reason = now(session), reason[:500]


def _member(row: Worker, *, moment: datetime, attempts: tuple[int, ...]) -> Member:
    return Member(
        name=row.name,
        queues=tuple(queue for queue in row.queues.split(",") if queue),
        slots=row.slots,
        gpu=row.gpu,
        version=row.version,
        started_at=row.started_at,
        seen_at=row.seen_at,
        losses=row.losses,
        drained_at=row.drained_at,
        drain_reason=row.drain_reason,
        alive=row.seen_at > moment - settings.lost_after(),
        quiet=moment - row.seen_at,
        attempts=attempts,
    )
