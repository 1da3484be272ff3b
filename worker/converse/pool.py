"""The pool: a bounded number of spares, for the finalists whom raters will be given next.

The host's loop calls `tick` and `take`; neither waits for a cell.
"""

import time
from collections.abc import Sequence

from leaderboard import conversations
from leaderboard.conversations import Partner
from worker.converse.spare import Spare
from worker.workplace import Workplace

TICK_SECONDS = 2.0
"""How often the pool asks who is next."""

REST_SECONDS = 60.0
"""How long a finalist of whom no spare could be made is left alone."""

END_SECONDS = 30.0


class Pool:
    """At most `places` spares, each of another finalist."""

    def __init__(self, workplace: Workplace, *, places: int) -> None:
        self._workplace = workplace
        self._places = places
        self._spares: dict[int, Spare] = {}
        self._leaving: list[Spare] = []
        self._rests: dict[int, float] = {}
        self._next_tick = 0.0

    def tick(self, now: float) -> None:
        """Forget who has ended, begin one that is missing; asks the database now and then."""
        if not self._places or now < self._next_tick:
            return
        self._next_tick = now + TICK_SECONDS
        self._forget(now)
        wanted = self._wanted(conversations.partners(self._workplace.db), now=now)
        self._dismiss({partner.attempt_id for partner in wanted})
        if all(spare.ready.is_set() for spare in self._spares.values()):
            self._begin(wanted)  # one at a time: starting costs the cores that chats need

    def take(self, partner: Partner) -> Spare | None:
        """A spare of this finalist that answers, now the conversation's; None if there is none."""
        spare = self._spares.get(partner.attempt_id)
        if spare is None or not spare.ready.is_set() or _scored(spare.partner) != _scored(partner):
            return None
        del self._spares[partner.attempt_id]
        self._next_tick = 0.0
        return spare

    @property
    def ended(self) -> bool:
        """Whether no cell of the pool is left."""
        return not self._spares and all(spare.gone.is_set() for spare in self._leaving)

    def close(self) -> bool:
        """End every spare; whether all have ended in time."""
        self._dismiss(set())
        deadline = time.monotonic() + END_SECONDS
        for spare in self._leaving:
            spare.gone.wait(max(0.0, deadline - time.monotonic()))
        return self.ended

    def _forget(self, now: float) -> None:
        for number, spare in list(self._spares.items()):
            if spare.gone.is_set():
                del self._spares[number]
                if spare.failed:
                    self._rests[number] = now + REST_SECONDS
        self._leaving = [spare for spare in self._leaving if not spare.gone.is_set()]
        self._rests = {number: until for number, until in self._rests.items() if until > now}

    def _wanted(self, partners: Sequence[Partner], *, now: float) -> list[Partner]:
        """Whom a place is for, the next ones first; an accelerator is never kept by a spare."""
        able = [p for p in partners if not p.gpu and self._rests.get(p.attempt_id, now) <= now]
        return able[: self._places]

    def _dismiss(self, wanted: set[int]) -> None:
        """End what nobody is to be given next."""
        for number, spare in list(self._spares.items()):
            if number not in wanted:
                spare.leave()
                self._leaving.append(spare)
                del self._spares[number]

    def _begin(self, wanted: Sequence[Partner]) -> None:
        missing = [partner for partner in wanted if partner.attempt_id not in self._spares]
        if missing and len(self._spares) + len(self._leaving) < self._places:
            partner = missing[0]
            self._spares[partner.attempt_id] = Spare(self._workplace, partner)
            self._spares[partner.attempt_id].start()


def _scored(partner: Partner) -> tuple[object, ...]:
    """What a cell was started from and loaded with."""
    return (
        partner.competition_id,
        partner.commit,
        partner.track,
        partner.image,
        partner.environment,
        partner.sandbox,
        partner.reply_seconds,
    )
