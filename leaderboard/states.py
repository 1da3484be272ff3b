"""The life of an attempt, as a table.

    received -> fetching -> building -> preflight -> queued -> running -> scored
                    any of these -> failed | cancelled; our faults lead back to an earlier state

Only `leaderboard.ledger` moves an attempt, each arrow in one transaction that checks the state
and the fence it starts from and appends one event. `withheld` is a flag of a scored attempt, not
a state.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class State(StrEnum):
    """Where an attempt stands."""

    RECEIVED = "received"
    FETCHING = "fetching"
    BUILDING = "building"
    PREFLIGHT = "preflight"
    QUEUED = "queued"
    RUNNING = "running"
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Queue(StrEnum):
    """The Celery queue whose workers take an attempt, or a conversation, out of waiting."""

    PREFLIGHT = "preflight"
    EVALUATE = "evaluate"
    CONVERSE = "converse"


def channel(queue: Queue, *, gpu: bool = False) -> str:
    """The message queue of what waits in `queue` for workers with, or without, a GPU."""
    return f"{queue.value}.{'gpu' if gpu else 'cpu'}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a state means and what may follow.

    `sentence` is shown to people. `queue` is set where the attempt waits for a worker's lease.
    `leased` says that a worker holds it and must send heartbeats. `limit` bounds the stay. Our own
    fault sends it back to `retry_to`.
    """

    state: State
    sentence: str
    next: frozenset[State]
    queue: Queue | None = None
    leased: bool = False
    limit: timedelta | None = None
    retry_to: State | None = None
    final: bool = False


MAX_LOSSES = 3
"""How often an attempt may lose its worker before it fails with `worker_lost`."""

MAX_RETRIES = 3
"""How often an attempt is tried again after any other fault of ours."""

_ENDS = frozenset({State.FAILED, State.CANCELLED})

STAGES: dict[State, Stage] = {
    stage.state: stage
    for stage in (
        Stage(
            State.RECEIVED,
            "Accepted, waiting for a worker.",
            _ENDS | {State.FETCHING},
            queue=Queue.PREFLIGHT,
        ),
        Stage(
            State.FETCHING,
            "A worker is cloning the repository.",
            _ENDS | {State.BUILDING, State.RECEIVED},
            leased=True,
            limit=timedelta(minutes=10),
            retry_to=State.RECEIVED,
        ),
        Stage(
            State.BUILDING,
            "A worker is installing the requirements.",
            _ENDS | {State.PREFLIGHT, State.RECEIVED},
            leased=True,
            limit=timedelta(minutes=30),
            retry_to=State.RECEIVED,
        ),
        Stage(
            State.PREFLIGHT,
            "The agent answers a few public dialogues; nothing is charged.",
            _ENDS | {State.QUEUED, State.RECEIVED},
            leased=True,
            limit=timedelta(minutes=30),
            retry_to=State.RECEIVED,
        ),
        Stage(
            State.QUEUED,
            "The preflight passed; waiting for a worker to score it.",
            _ENDS | {State.RUNNING},
            queue=Queue.EVALUATE,
        ),
        Stage(
            State.RUNNING,
            "The agent answers the hidden test set.",
            _ENDS | {State.SCORED, State.QUEUED},
            leased=True,
            limit=timedelta(hours=12),
            retry_to=State.QUEUED,
        ),
        Stage(State.SCORED, "Scored.", frozenset(), final=True),
        Stage(State.FAILED, "Failed.", frozenset(), final=True),
        Stage(State.CANCELLED, "Cancelled.", frozenset(), final=True),
    )
}


def may_move(source: State, target: State) -> bool:
    """Whether the table has an arrow from `source` to `target`."""
    return target in STAGES[source].next
