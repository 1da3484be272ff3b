"""Whether anybody is at work: what a page says when submissions wait and no worker is heard.

A worker is heard by its announcements and by what it does (leases, heartbeats, events). Silence
means something only while something waits that could be taken.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from leaderboard import settings
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Event, Worker
from leaderboard.quota import stamp
from leaderboard.states import STAGES

_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)
_WAITING = tuple(state for state, stage in STAGES.items() if stage.queue is not None)


@dataclass(frozen=True, slots=True)
class Silence:
    """Attempts wait and nobody takes them: how many, since when, and when a worker was last heard.

    `heard` is None where no worker has ever been.
    """

    count: int
    since: datetime
    heard: datetime | None

    @property
    def sentence(self) -> str:
        """One line for people."""
        what = "1 submission waits" if self.count == 1 else f"{self.count} submissions wait"
        silent = (
            f"no worker has been heard of since {stamp(self.heard)}"
            if self.heard
            else "no worker has been heard of yet"
        )
        return f"{what}, the oldest since {stamp(self.since)}, and {silent}."


def silence(db: Database) -> Silence | None:
    """The silence of the workers, None if nothing waits or somebody was heard lately.

    Lately is `ROSTRUM_LOST_SECONDS`: a living worker takes what waits sooner.
    """
    with db.read() as session:
        edge = now(session) - settings.lost_after()
        count, since = session.execute(
            select(func.count(), func.min(Attempt.state_since)).where(
                Attempt.state.in_(_WAITING),
                or_(Attempt.not_before.is_(None), Attempt.not_before < edge),
            )
        ).one()
        beat = session.scalar(
            select(func.max(Attempt.heartbeat_at)).where(Attempt.state.in_(_LEASED))
        )
        seen = session.scalar(select(func.max(Worker.seen_at)).where(Worker.drained_at.is_(None)))
        event = session.scalar(
            select(Event.at).where(Event.worker.is_not(None)).order_by(Event.id.desc()).limit(1)
        )
    heard = max((moment for moment in (beat, seen, event) if moment is not None), default=None)
    if not count or since > edge or (heard is not None and heard > edge):
        return None
    return Silence(count, since, heard)
