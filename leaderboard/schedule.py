"""When the round of a month begins by itself: planned in the database, then begun, late if need be.

`rostrum beat` asks at every sweep. What is still to come is a row of `rounds` with its instant and
no entries, so a beat that was away when the instant passed finds that it was meant, and begins the
round late; one that is started for the first time plans the next instant and begins nothing. A
round by schedule is that of the teams that were registered at its instant, in a phase that was
open then; it uses places of the quota, so it surprises nobody. `rostrum admin round run` takes in
whoever is missing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import rounds
from leaderboard.competition import Competition, of_row
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.db.models import Round, RoundEntry
from leaderboard.db.people import Lock
from leaderboard.quota import month_of, next_month
from leaderboard.rounds import SCHEDULED, Ran, missing
from leaderboard.rules import Schedule

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a look at the schedules came to: rounds that were begun, the seconds to the next one.

    `seconds` is None where no round is planned. `attempts` were made by this look.
    """

    begun: tuple[Ran, ...]
    seconds: float | None

    @property
    def attempts(self) -> tuple[int, ...]:
        """The attempts that this look has made."""
        return tuple(attempt for ran in self.begun for attempt in ran.attempts)


def instant(schedule: Schedule, month: str) -> datetime:
    """When the round of a UTC month (`2026-11`) begins."""
    year, number = month.split("-")
    return datetime(int(year), int(number), schedule.day, schedule.hour, tzinfo=UTC)


def look(db: Database) -> Agenda:
    """Plan what is to come and begin what is due, in every competition; safe to repeat.

    Two beats at once come to the same. One competition's trouble is logged and keeps no other.
    """
    begun = []
    for competition_id in _competitions(db):
        try:
            ran = _looked(db, competition_id)
        except UsageError as error:  # locked at this moment, or its text is of another version
            _log.warning("no round of %s: %s", competition_id, error.message)
            continue
        if ran is not None:
            begun.append(ran)
    return Agenda(tuple(begun), _seconds(db))


def upcoming(db: Database, competition_id: str) -> datetime | None:
    """When the next round of a competition begins by itself; None where none is planned."""
    with db.read() as session:
        return _next(session, competition_id)


def _competitions(db: Database) -> Sequence[str]:
    with db.read() as session:
        return session.scalars(select(CompetitionRow.id).order_by(CompetitionRow.id)).all()


def _looked(db: Database, competition_id: str) -> Ran | None:
    with db.read() as session:
        competition = of_row(session.get_one(CompetitionRow, competition_id))
        wanted = competition.round.automatic and not _locked(session, competition_id)
        stale = _stale(session, competition, wanted=wanted)
    if stale:
        _plan_or_leave(db, competition, wanted=wanted)
    with db.read() as session:
        due = _due(session, competition) if wanted else None
    if due is None:
        return None
    _log.info("round of %s in %s: begins by schedule", due.month, competition_id)
    return rounds.run(db, competition_id, reason=SCHEDULED, registered_by=due.at)


def _locked(session: Session, competition_id: str) -> bool:
    locks = select(Lock.at).where(Lock.competition_id == competition_id)
    return session.scalar(locks) is not None


def _seconds(db: Database) -> float | None:
    """Until the next planned round of any competition."""
    with db.read() as session:
        first = _next(session)
        return (first - now(session)).total_seconds() if first else None


def _next(session: Session, competition_id: str | None = None) -> datetime | None:
    """The first instant that is planned and still to come, of one competition or of all."""
    chosen = select(Round.at).where(Round.reason == SCHEDULED, Round.at > now(session))
    if competition_id is not None:
        chosen = chosen.where(Round.competition_id == competition_id)
    return session.scalar(chosen.order_by(Round.at).limit(1))


@dataclass(frozen=True, slots=True)
class _Aim:
    """Which month is to be planned, for when; `moved` is a plan that was missed altogether."""

    month: str
    at: datetime
    moved: Round | None


def _stale(session: Session, competition: Competition, *, wanted: bool) -> bool:
    """Whether the plan must be written: so a look that finds all in order writes nothing."""
    if not wanted:
        return _empty(session, competition.id) is not None
    aim = _aim(session, competition)
    row = _of_month(session, competition.id, aim.month)
    return row is None or (_is_plan(session, row) and row.at != aim.at)


def _plan_or_leave(db: Database, competition: Competition, *, wanted: bool) -> None:
    try:
        with db.write() as session:
            if wanted:
                _plan(session, competition)
            else:
                _forget(session, competition.id)
    except IntegrityError:  # another beat has planned it at this moment
        _log.debug("planned by another: %s", competition.id)


def _plan(session: Session, competition: Competition) -> None:
    aim = _aim(session, competition)
    row = _of_month(session, competition.id, aim.month) or aim.moved
    if row is None:
        row = Round(competition_id=competition.id, reason=SCHEDULED)
        session.add(row)
    elif not _is_plan(session, row):
        return
    row.month, row.at = aim.month, aim.at


def _forget(session: Session, competition_id: str) -> None:
    while (row := _empty(session, competition_id)) is not None:
        session.delete(row)
        session.flush()


def _aim(session: Session, competition: Competition) -> _Aim:
    """This month where its instant is still to come, or passed while no beat looked; else the next.

    A plan keeps its instant where the schedule was changed to one that has passed.
    """
    moment, schedule = now(session), competition.round
    month = month_of(moment)
    current = _of_month(session, competition.id, month)
    missed = _empty(session, competition.id, before=month) if current is None else None
    at = instant(schedule, month)
    if current is not None and _is_plan(session, current) and current.at > moment:
        return _Aim(month, at if at > moment else current.at, None)
    if current is None and (at > moment or missed is not None):
        return _Aim(month, at, missed)
    following = month_of(next_month(moment))
    return _Aim(following, instant(schedule, following), None)


def _due(session: Session, competition: Competition) -> Round | None:
    """This month's round, where it is to run now: begun by schedule, with teams still missing."""
    moment = now(session)
    row = _of_month(session, competition.id, month_of(moment))
    if row is None or row.reason != SCHEDULED or row.at > moment:
        return None
    if competition.phase(row.at) is None or not missing(session, row, registered_by=row.at):
        return None
    return row


def _of_month(session: Session, competition_id: str, month: str) -> Round | None:
    return session.scalar(
        select(Round).where(Round.competition_id == competition_id, Round.month == month)
    )


def _empty(session: Session, competition_id: str, *, before: str | None = None) -> Round | None:
    """The newest round by schedule that decided nothing, of a month before `before`."""
    chosen = select(Round).where(
        Round.competition_id == competition_id,
        Round.reason == SCHEDULED,
        ~exists().where(RoundEntry.round_id == Round.id),
    )
    if before is not None:
        chosen = chosen.where(Round.month < before)
    return session.scalar(chosen.order_by(Round.month.desc()).limit(1))


def _is_plan(session: Session, row: Round) -> bool:
    """Whether the row only says what is to come."""
    entries = select(RoundEntry.id).where(RoundEntry.round_id == row.id).limit(1)
    return row.reason == SCHEDULED and session.scalar(entries) is None
