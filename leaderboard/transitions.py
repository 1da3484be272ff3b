"""The one statement that moves an attempt: compare-and-swap on state and fence, plus one event."""

from datetime import datetime
from typing import TypedDict, Unpack

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from leaderboard.db.engine import now
from leaderboard.db.models import Attempt, Event
from leaderboard.states import STAGES, State, may_move


class Lost(Exception):  # noqa: N818  # an outcome that callers handle, not a mistake
    """The caller no longer holds the attempt: it was moved, or another worker has it now.

    Nothing was written. Whoever gets this drops what it has made and goes on.
    """


class Changes(TypedDict, total=False):
    """The columns that may change together with the state."""

    fence: int
    losses: int
    retries: int
    worker: str | None
    heartbeat_at: datetime | None
    stop: bool
    gpu: bool
    not_before: datetime | None
    verdict_code: str | None
    verdict_detail: str | None
    tracks: list[str]
    environment: str | None
    image: str | None
    sandbox: str | None
    can_chat: bool | None


def move(
    session: Session,
    attempt: Attempt,
    target: State,
    *,
    code: str | None = None,
    note: str = "",
    **changes: Unpack[Changes],
) -> None:
    """Move `attempt` from the state and fence it was read with to `target`, and log it.

    Where it waits it takes its turn now, and without `not_before` may be taken at once.
    `ValueError` if the table of states has no such arrow; `Lost` if the row has changed since.
    """
    source, fence, worker = attempt.state, attempt.fence, changes.get("worker") or attempt.worker
    if not may_move(source, target):
        raise ValueError(f"an attempt cannot go from {source} to {target}")
    moment = now(session)
    values = {
        "turn": moment if STAGES[target].queue else None,
        "not_before": None,
        **changes,
        "state": target,
        "state_since": moment,
    }
    session.flush()
    moved = session.execute(
        update(Attempt)
        .where(Attempt.id == attempt.id, Attempt.state == source, Attempt.fence == fence)
        .values(values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(moved, CursorResult)
    if moved.rowcount != 1:
        raise Lost(f"attempt {attempt.id} is no longer {source} with fence {fence}")
    for name, value in values.items():  # as the row is now, without reading it again
        set_committed_value(attempt, name, value)
    log(session, attempt, source=source, worker=worker, code=code, note=note)


def log(
    session: Session,
    attempt: Attempt,
    *,
    source: State | None,
    worker: str | None = None,
    code: str | None = None,
    note: str = "",
) -> None:
    """Append one line to the attempt's timeline; `source` is None for a line without a move."""
    session.add(
        Event(
            attempt_id=attempt.id,
            at=now(session),
            source=source,
            target=attempt.state,
            fence=attempt.fence,
            worker=worker,
            code=code,
            note=note[:500],
        )
    )
