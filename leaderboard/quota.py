"""How often a team may be scored: an append-only ledger, and the pure rules that add it up.

An attempt *reserves* its place in the UTC month of its acceptance. It is *charged* when it enters
`running`, before a hidden byte is sent; *released* if it ends before, or if an organizer's rerun
takes the place over; *refunded* when the fault is ours. After `FREE_REFUNDS` refunds of a team in
one month further ones wait for an organizer, who may *grant* a place with a reason. Nothing is ever
deleted: what is used is a sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leaderboard.db.engine import now
from leaderboard.db.models import Attempt, Kind, QuotaEntry, Submission

FREE_REFUNDS = 2
"""Refunds of one team in one month that need no organizer."""

_RETURNED = frozenset({Kind.RELEASE, Kind.REFUND, Kind.REFUND_WAITS})


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a competition allows each team: scored runs a month, preflights a day."""

    scored_per_month: int
    preflights_per_day: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a team has used at one moment, and when more becomes possible.

    `month` is the UTC month of the count, `allowed` includes grants. `opens` is the first instant
    at which a submission would be accepted as far as the quota goes; None if that is now.
    """

    month: str
    used: int
    allowed: int
    preflights_used: int
    preflights_allowed: int
    refunds_waiting: int
    opens: datetime | None

    @property
    def sentence(self) -> str:
        """One line for people: what is used, and when the next place opens."""
        runs = f"{self.used} of {self.allowed} scored {_plural('run', self.allowed)}"
        checks = f"{self.preflights_used} of {self.preflights_allowed} preflights"
        line = f"Used in {self.month} (UTC): {runs}; today: {checks}."
        if self.refunds_waiting:
            what = "refund waits" if self.refunds_waiting == 1 else "refunds wait"
            line += f" {self.refunds_waiting} {what} for an organizer."
        if self.opens is not None:
            line += f" The next submission opens at {stamp(self.opens)}."
        return line


def month_of(moment: datetime) -> str:
    """The UTC month of an instant, as `2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def next_month(moment: datetime) -> datetime:
    """The first instant of the UTC month after the one of `moment`."""
    utc = moment.astimezone(UTC)
    year, month = (utc.year + 1, 1) if utc.month == 12 else (utc.year, utc.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


def day_start(moment: datetime) -> datetime:
    """The first instant of the UTC day of `moment`."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def stamp(moment: datetime) -> str:
    """An instant for people: `2026-12-01 00:00 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def places_used(entries: Iterable[tuple[int | None, Kind]]) -> int:
    """How many places (attempt, kind) entries of one team and month use.

    A reserved place counts until it is released or refunded; a waiting refund still counts.
    """
    reserved: set[int | None] = set()
    returned: set[int | None] = set()
    for attempt_id, kind in entries:
        if kind is Kind.RESERVE:
            reserved.add(attempt_id)
        elif kind in (Kind.RELEASE, Kind.REFUND):
            returned.add(attempt_id)
    return len(reserved - returned)


def opening(
    *, moment: datetime, allowance: Allowance, used: int, allowed: int, preflights: int
) -> datetime | None:
    """When the quota next lets a submission in; None if it does at `moment`.

    The later of the two clocks counts: a used month opens with the next one, ten preflights with
    the next day.
    """
    waits = []
    if used >= allowed:
        waits.append(next_month(moment))
    if preflights >= allowance.preflights_per_day:
        waits.append(day_start(moment) + timedelta(days=1))
    return max(waits, default=None)


def usage(session: Session, team_id: int, allowance: Allowance) -> Usage:
    """What the team has used at the transaction's time."""
    moment = now(session)
    month = month_of(moment)
    entries = [(entry.attempt_id, entry.kind) for entry in _entries(session, team_id, month)]
    kinds = [kind for _, kind in entries]
    preflights = session.scalar(
        select(func.count())
        .select_from(Submission)  # a rerun is the organizers' and counts for nothing
        .where(Submission.team_id == team_id, Submission.created_at >= day_start(moment))
    )
    used = places_used(entries)
    allowed = allowance.scored_per_month + kinds.count(Kind.GRANT)
    return Usage(
        month=month,
        used=used,
        allowed=allowed,
        preflights_used=preflights or 0,
        preflights_allowed=allowance.preflights_per_day,
        refunds_waiting=kinds.count(Kind.REFUND_WAITS),
        opens=opening(
            moment=moment,
            allowance=allowance,
            used=used,
            allowed=allowed,
            preflights=preflights or 0,
        ),
    )


def reserve(session: Session, attempt: Attempt) -> None:
    """Take a place of the attempt's month; whether there is one, the caller has checked."""
    _write(session, attempt, Kind.RESERVE)


def charge(session: Session, attempt: Attempt) -> bool:
    """Make the reservation final; harmless to repeat. Whether this call was the one.

    Nothing is charged for an attempt that holds no place: the rerun of one that had ended.
    """
    kinds = _kinds(session, attempt.id)
    if Kind.RESERVE not in kinds or Kind.CHARGE in kinds:
        return False
    _write(session, attempt, Kind.CHARGE)
    return True


def pass_on(session: Session, attempt: Attempt, successor: Attempt) -> bool:
    """Give the place of an attempt to the one that takes over; whether it held one.

    The month's sum stays as it was, whether the place was charged or only reserved.
    """
    kinds = _kinds(session, attempt.id)
    if Kind.RESERVE not in kinds or kinds & _RETURNED:
        return False
    _write(session, attempt, Kind.RELEASE, reason=f"passed on to attempt {successor.id}")
    _write(session, successor, Kind.RESERVE, reason=f"taken over from attempt {attempt.id}")
    return True


def settle(
    session: Session, attempt: Attempt, *, ours: bool, reason: str, waits: bool = False
) -> Kind | None:
    """Give back what an attempt that ends without a score may have back; harmless to repeat.

    Not charged: released, whoever is at fault. Charged and our fault: refunded, or noted as
    waiting for an organizer (always if it `waits`). Charged and theirs: kept. Returns what was
    written.
    """
    kinds = _kinds(session, attempt.id)
    if kinds & _RETURNED or Kind.RESERVE not in kinds:
        return None
    if Kind.CHARGE not in kinds:
        kind = Kind.RELEASE
    elif not ours:
        return None
    else:
        month = [entry.kind for entry in _entries(session, attempt.team_id, attempt.month)]
        free = month.count(Kind.REFUND) < FREE_REFUNDS and not waits
        kind = Kind.REFUND if free else Kind.REFUND_WAITS
    _write(session, attempt, kind, reason=reason)
    return kind


def grant(session: Session, team_id: int, *, reason: str) -> str:
    """Allow the team one more scored run in the current month; returns that month."""
    moment = now(session)
    month = month_of(moment)
    session.add(
        QuotaEntry(team_id=team_id, month=month, kind=Kind.GRANT, at=moment, reason=reason[:500])
    )
    return month


def _entries(session: Session, team_id: int, month: str) -> list[QuotaEntry]:
    chosen = select(QuotaEntry).where(QuotaEntry.team_id == team_id, QuotaEntry.month == month)
    return list(session.scalars(chosen))


def _kinds(session: Session, attempt_id: int) -> set[Kind]:
    return set(session.scalars(select(QuotaEntry.kind).where(QuotaEntry.attempt_id == attempt_id)))


def _write(session: Session, attempt: Attempt, kind: Kind, *, reason: str = "") -> None:
    session.add(
        QuotaEntry(
            team_id=attempt.team_id,
            attempt_id=attempt.id,
            month=attempt.month,
            kind=kind,
            at=now(session),
            reason=reason[:500],
        )
    )
    session.flush()


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
