"""A clock that was stepped: what was written by another time of day counts from now again.

Leases, limits and waits are measured by the database's clock. Set forward by an hour it makes every
worker look silent and every stage overdue, set back it lets the dead look alive. Whoever sweeps
compares it with a steady clock of its own; then everybody's patience begins anew, and nobody is
blamed. Harmless to repeat, and when two sweep.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, Update, update
from sqlalchemy.orm import Session

from leaderboard import endings, settings
from leaderboard.db.models import Attempt, Worker
from leaderboard.states import STAGES

_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)
_WAITING = tuple(state for state, stage in STAGES.items() if stage.queue is not None)


@dataclass(slots=True)
class Pace:
    """How the database's clock went since the last look, seen by the steady one of this process."""

    steady: Callable[[], float] = time.monotonic
    _last: tuple[datetime, float] | None = field(default=None, init=False)

    def jump(self, moment: datetime) -> timedelta:
        """How much further than time itself the clock has gone since the last look; may be < 0."""
        seen = moment, self.steady()
        before, self._last = self._last, seen
        if before is None:
            return timedelta()
        return moment - before[0] - timedelta(seconds=seen[1] - before[1])


def set_right(session: Session, moment: datetime, pace: Pace | None) -> timedelta | None:
    """Begin all patience anew if the clock was stepped; by how much it was, None if it was not.

    Without a `pace` only what lies in the future shows it.
    """
    slack = settings.lost_after() / 2
    jump = pace.jump(moment) if pace is not None else timedelta()
    if jump > slack:
        held = update(Attempt).where(Attempt.state.in_(_LEASED))
        session.execute(held.values(heartbeat_at=moment, state_since=moment))
        session.execute(update(Worker).values(seen_at=moment))
    ahead = _bring_back(session, moment, slack)
    return jump if abs(jump) > slack or ahead else None


def _bring_back(session: Session, moment: datetime, slack: timedelta) -> bool:
    """Set what lies in the future to now; whether there was anything."""
    longest = settings.retry_after() * max(endings.RETRY_STEPS) + slack
    leased = Attempt.state.in_(_LEASED)
    changes = (
        update(Attempt)
        .where(leased, Attempt.heartbeat_at > moment + slack)
        .values(heartbeat_at=moment),
        update(Attempt)
        .where(leased, Attempt.state_since > moment + slack)
        .values(state_since=moment),
        update(Attempt)
        .where(Attempt.state.in_(_WAITING), Attempt.not_before > moment + longest)
        .values(not_before=moment),
        update(Worker).where(Worker.seen_at > moment + slack).values(seen_at=moment),
    )
    return sum(_changed(session, change) for change in changes) > 0


def _changed(session: Session, change: Update) -> int:
    changed = session.execute(change)
    assert isinstance(changed, CursorResult)
    return changed.rowcount
