"""When a waiting attempt may be expected to start: from how long such runs took, and who is there.

The runs before it are dealt out, each as long as the usual one, to the slots of the workers that
live; a slot at work is free once its run has lasted as long as those that lasted longer. Nothing is
said where there is nothing to go by: no such worker, or too few runs so far.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leaderboard import fleet
from leaderboard.db.engine import now
from leaderboard.db.models import Attempt, Event, Team
from leaderboard.formats import duration
from leaderboard.quota import stamp
from leaderboard.states import STAGES, Queue, State, channel

PAST = 30
"""How many of the latest runs are looked at."""

LEAST = 3
"""How many are needed to say anything."""

_BEGIN = {Queue.PREFLIGHT: State.FETCHING, Queue.EVALUATE: State.RUNNING}
_LANES = {
    Queue.PREFLIGHT: frozenset({State.FETCHING, State.BUILDING, State.PREFLIGHT}),
    Queue.EVALUATE: frozenset({State.RUNNING}),
}
_WELL = {
    Queue.PREFLIGHT: frozenset({State.QUEUED, State.FAILED}),
    Queue.EVALUATE: frozenset({State.SCORED, State.FAILED}),
}
_ENDED = (State.SCORED, State.FAILED)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Expected:
    """The instant at which an attempt may be expected to start, and what says so.

    `usual` is the median of the latest `runs`, `slots` how many run at a time.
    """

    at: datetime
    soon: bool
    usual: timedelta
    runs: int
    slots: int

    @property
    def sentence(self) -> str:
        """One line for people."""
        when = "within a minute" if self.soon else f"at about {stamp(self.at)}"
        places = "1 at a time" if self.slots == 1 else f"{self.slots} at a time"
        return (
            f"Expected to start {when}: the last {self.runs} such runs took "
            f"{duration(self.usual)} each (median), and the workers take {places}."
        )


def expected(session: Session, attempt: Attempt, *, ahead: int) -> Expected | None:
    """When this waiting attempt starts, as far as one can tell; None if one cannot."""
    queue = STAGES[attempt.state].queue
    if queue not in _LANES:
        return None
    slots = fleet.slots(session, channel(queue, gpu=attempt.gpu))
    past = _past(session, attempt, queue) if slots else []
    if len(past) < LEAST:
        return None
    moment = now(session)
    left = [
        (team_id, remaining(past, age=moment - begun))
        for team_id, begun in _busy(session, attempt, queue)
    ]
    waits = [start(past, left=[span for _, span in left], slots=slots, ahead=ahead)]
    if queue is Queue.EVALUATE:  # one scored run a team
        waits += [span for team_id, span in left if team_id == attempt.team_id]
    if attempt.not_before is not None:
        waits.append(attempt.not_before - moment)
    wait = max(waits)
    return Expected(
        at=moment + wait, soon=wait < _MINUTE, usual=middle(past), runs=len(past), slots=slots
    )


def start(
    past: Sequence[timedelta], *, left: Sequence[timedelta], slots: int, ahead: int
) -> timedelta:
    """How long until a slot is free for the one that has `ahead` before it.

    `past` are the durations of earlier runs, `left` what the running ones still need.
    """
    usual = middle(past)
    ends = sorted(left) + [timedelta()] * (slots - len(left))
    heapq.heapify(ends)
    for _ in range(ahead):
        heapq.heapreplace(ends, ends[0] + usual)
    return ends[0]


def remaining(past: Sequence[timedelta], *, age: timedelta) -> timedelta:
    """What a run of this age still needs, going by those that lasted longer.

    One older than all of them is given half its age again.
    """
    longer = [span for span in past if span > age]
    return middle(longer) - age if longer else age / 2


def middle(spans: Sequence[timedelta]) -> timedelta:
    """The median, the longer of two."""
    return sorted(spans)[len(spans) // 2]


def _past(session: Session, attempt: Attempt, queue: Queue) -> list[timedelta]:
    """How long the latest runs of this competition in the queue took, the latest first."""
    ids: list[int] = []
    competition_id = select(Team.competition_id).where(Team.id == attempt.team_id).scalar_subquery()
    for state in _ENDED:  # each alone is read in the order of an index
        ids += session.scalars(
            select(Attempt.id)
            .join(Team, Team.id == Attempt.team_id)
            .where(
                Attempt.state == state,
                Attempt.gpu == attempt.gpu,
                Team.competition_id == competition_id,
            )
            .order_by(Attempt.state_since.desc())
            .limit(PAST)
        )
    return _durations(session, ids, queue)[:PAST]


def _durations(session: Session, ids: Sequence[int], queue: Queue) -> list[timedelta]:
    """How long each of these attempts was at work in the queue, from the last lease to its end."""
    begun: dict[int, datetime] = {}
    ended: dict[int, tuple[datetime, timedelta]] = {}
    moves = select(Event.attempt_id, Event.source, Event.target, Event.at).where(
        Event.attempt_id.in_(ids), Event.source.is_not(None)
    )
    for attempt_id, source, target, at in session.execute(moves.order_by(Event.id)):
        if target is _BEGIN[queue]:
            begun[attempt_id] = at
        elif source in _LANES[queue] and target in _WELL[queue]:
            ended[attempt_id] = (at, at - begun[attempt_id])
    return [span for _, span in sorted(ended.values(), reverse=True)]


def _busy(session: Session, attempt: Attempt, queue: Queue) -> list[tuple[int, datetime]]:
    """Whose attempts are at work in the queue, and since when."""
    rows = session.execute(
        select(Attempt.team_id, func.min(Event.at))
        .join(Event, (Event.attempt_id == Attempt.id) & (Event.fence == Attempt.fence))
        .where(Attempt.state.in_(_LANES[queue]), Attempt.gpu == attempt.gpu)
        .group_by(Attempt.id, Attempt.team_id)
    )
    return [(team_id, begun) for team_id, begun in rows]
