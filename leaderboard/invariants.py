"""What must be true of every submission whatever has happened: rules over rows, as a table.

Read only. A worker that was killed, a message that came three times, a clock that was set back or a
machine that lost power must not break one of them: the tests of faults, the simulation and
`rostrum admin verify` ask the same questions.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import VERDICTS, Fault
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Event, Kind, QuotaEntry, Submission, TrackReport
from leaderboard.states import MAX_LOSSES, MAX_RETRIES, STAGES, State, may_move

AT_A_TIME = 500
"""Submissions whose rows are in memory together."""

MOST = 100
"""The most sentences that are kept of one invariant; the others are counted."""

FULL_COMMIT = 40
"""The digits of a commit's id."""

_RETURNED = frozenset({Kind.RELEASE, Kind.REFUND, Kind.REFUND_WAITS})


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt as it stands, its timeline, its entries in the quota's book, its reports."""

    row: Attempt
    events: tuple[Event, ...]
    kinds: tuple[Kind, ...]
    reported: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"attempt {self.row.id}"

    @property
    def final(self) -> bool:
        return STAGES[self.row.state].final

    @property
    def moves(self) -> list[Event]:
        """The lines of the timeline in which the state moved."""
        return [event for event in self.events if event.source is not None]


@dataclass(frozen=True, slots=True)
class Whole:
    """One submission with everything that has happened to it; `settled`: nothing runs any more."""

    row: Submission
    attempts: tuple[Past, ...]
    settled: bool


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule: its name, what it promises to people, and the sentences of whatever breaks it."""

    name: str
    promise: str
    breaches: Callable[[Whole], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Examined:
    """What was looked at, and the breaches by the invariant's name; `counts` has them all."""

    submissions: int
    attempts: int
    breaches: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def sentences(self) -> list[str]:
        """Every sentence that was kept, and how many more there are."""
        said = []
        for name, found in self.breaches.items():
            said += [f"{name}: {sentence}" for sentence in found]
            if (more := self.counts[name] - len(found)) > 0:
                said.append(f"{name}: and {more} more")
        return said


def broken(db: Database, *, settled: bool = True) -> list[str]:
    """A sentence for everything that is not as it must be; empty is good.

    `settled` expects that nothing waits or runs any more; without it only what must hold at every
    moment is asked.
    """
    return examine(db, settled=settled).sentences


def examine(db: Database, *, settled: bool = True) -> Examined:
    """As `broken`, by invariant and with counts; one consistent snapshot of the database."""
    submissions = attempts = 0
    kept: dict[str, list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    with db.read() as session:
        _freeze(session)
        for whole in _submissions(session, settled=settled):
            submissions += 1
            attempts += len(whole.attempts)
            for invariant in INVARIANTS:
                for sentence in invariant.breaches(whole):
                    counts[invariant.name] += 1
                    if counts[invariant.name] <= MOST:
                        kept[invariant.name].append(sentence)
    return Examined(submissions, attempts, dict(kept), dict(counts))


def _one_end(whole: Whole) -> Iterator[str]:
    if not whole.attempts:
        yield f"submission {whole.row.id} has no attempt"
    for past in whole.attempts:
        ends = [event for event in past.moves if STAGES[event.target].final]
        if past.final and len(ends) != 1:
            yield f"{past.name} is {past.row.state} and its timeline ends {len(ends)} times"
        if not past.final and ends:
            yield f"{past.name} is {past.row.state} after it was {ends[0].target}"
        if not past.final and whole.settled:
            yield f"{past.name} is still {past.row.state}"
        if past.final and len(ends) == 1:
            yield from _one_reason(past, ends[0])


def _one_reason(past: Past, end: Event) -> Iterator[str]:
    code = past.row.verdict_code
    if past.row.state is State.FAILED:
        if code not in VERDICTS:
            yield f"{past.name} failed with the verdict {code!r}, which is in no list"
        if end.code != code:
            yield f"{past.name} failed with {code!r} and its timeline says {end.code!r}"
    elif code is not None:
        yield f"{past.name} is {past.row.state} and has the verdict {code!r}"
    if past.row.state is State.CANCELLED and not end.note:
        yield f"{past.name} is cancelled without a reason"


def _timeline(whole: Whole) -> Iterator[str]:
    for past in whole.attempts:
        if not past.events or past.events[0].source or past.events[0].target is not State.RECEIVED:
            yield f"{past.name} does not begin with its acceptance"
            continue
        stands = State.RECEIVED
        for event in past.events:
            if (event.source or event.target) is not stands:
                yield f"{past.name} is {stands} and line {event.id} begins at {event.source}"
            elif event.source and not may_move(event.source, event.target):
                yield f"{past.name} went from {event.source} to {event.target}"
            stands = event.target
        if stands is not past.row.state:
            yield f"{past.name} is {past.row.state} and its timeline ends with {stands}"


def _fences(whole: Whole) -> Iterator[str]:
    for past in whole.attempts:
        fence = 0
        for event in past.events:
            if event.fence < fence + _grows(event):
                yield f"{past.name} has fence {event.fence} after {fence} in line {event.id}"
            fence = event.fence
        if fence != past.row.fence:
            yield f"{past.name} has fence {past.row.fence} and its timeline ends with {fence}"
        if past.row.losses > MAX_LOSSES or past.row.retries > MAX_RETRIES:
            yield f"{past.name} was lost {past.row.losses} times, retried {past.row.retries} times"


def _grows(event: Event) -> bool:
    """Whether the fence must be a higher one: a lease begins, or is taken away."""
    if event.source is None:
        return False
    before, after = STAGES[event.source], STAGES[event.target]
    return (after.leased and not before.leased) or before.retry_to is event.target


def _leases(whole: Whole) -> Iterator[str]:
    for past in whole.attempts:
        row = past.row
        held = row.worker is not None and row.heartbeat_at is not None
        free = row.worker is None and row.heartbeat_at is None
        if STAGES[row.state].leased and not held:
            yield f"{past.name} is {row.state} and nobody holds it"
        if not STAGES[row.state].leased and not free:
            yield f"{past.name} is {row.state} and {row.worker!r} still holds it"
    working = [past for past in whole.attempts if not past.final and not past.row.stop]
    if len(working) > 1:
        names = ", ".join(past.name for past in working)
        yield f"submission {whole.row.id} has more than one attempt under way: {names}"


def _charges(whole: Whole) -> Iterator[str]:
    places = 0
    for past in whole.attempts:
        kinds = set(past.kinds)
        places += Kind.RESERVE in kinds and not kinds & {Kind.RELEASE, Kind.REFUND}
        if len(past.kinds) != len(kinds) or len(kinds & _RETURNED) > 1:
            yield f"{past.name} has entries twice: {_listed(past.kinds)}"
        elif expected := _expected(past, kinds):
            yield f"{past.name} is {past.row.state}{expected}: {_listed(past.kinds)}"
    if places > 1:
        yield f"submission {whole.row.id} uses {places} places of its month"


def _expected(past: Past, kinds: set[Kind]) -> str:
    """What is wrong with the entries of one attempt, for the middle of a sentence; or nothing."""
    ran = any(event.target is State.RUNNING and event.source for event in past.events)
    passed_on = bool(kinds & _RETURNED)
    if Kind.RESERVE not in kinds:
        return ", holds no place and has entries" if kinds else ""
    if (Kind.CHARGE in kinds) != ran:
        return ", was running and is not charged" if ran else ", never ran and is charged"
    if past.row.state is State.SCORED:
        return " and its place was given back" if passed_on else ""
    if not past.final:
        return ""
    if not ran or _is_ours(past):
        return "" if passed_on else " and its place was not given back"
    refunded = kinds & {Kind.REFUND, Kind.REFUND_WAITS}
    return " by its own doing and is refunded" if refunded else ""


def _is_ours(past: Past) -> bool:
    verdict = VERDICTS.get(past.row.verdict_code or "")
    return verdict is not None and verdict.fault is Fault.PLATFORM


def _reports(whole: Whole) -> Iterator[str]:
    for past in whole.attempts:
        row = past.row
        entered = sorted(row.tracks or ()) if row.state is State.SCORED else []
        if sorted(past.reported) != entered:
            what = f"has reports of {_listed(past.reported)}, not of {_listed(entered)}"
            yield f"{past.name} is {row.state} and {what}"
        if row.state is State.SCORED and not entered:
            yield f"{past.name} is scored in no track"
        if row.state is State.SCORED and len(whole.row.commit or "") != FULL_COMMIT:
            yield f"{past.name} is scored and its commit is {whole.row.commit!r}"
        if row.withheld is not None and row.state is not State.SCORED:
            yield f"{past.name} is {row.state} and its score is withheld"


INVARIANTS = (
    Invariant("end", "every attempt is in one final state, with one reason", _one_end),
    Invariant("timeline", "every move is an arrow of the table of states", _timeline),
    Invariant("fence", "the fence grows with every lease and every return", _fences),
    Invariant("lease", "no lease is left, and none is held twice", _leases),
    Invariant("quota", "one charge where it ran, else a release; a refund if ours", _charges),
    Invariant("report", "one report for each track entered where scored, else none", _reports),
)
"""Every rule, in the order in which it is shown."""


def _freeze(session: Session) -> None:
    """Have all statements of this transaction see the same moment; SQLite does so by itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _submissions(session: Session, *, settled: bool) -> Iterator[Whole]:
    """Every submission, a few hundred at a time, the oldest first."""
    last = 0
    while True:
        chosen = select(Submission).where(Submission.id > last).order_by(Submission.id)
        rows = list(session.scalars(chosen.limit(AT_A_TIME)))
        if not rows:
            return
        last = rows[-1].id
        pasts = _pasts(session, [row.id for row in rows])
        for row in rows:
            yield Whole(row, tuple(pasts[row.id]), settled)
        session.expunge_all()


def _pasts(session: Session, submissions: list[int]) -> dict[int, list[Past]]:
    """The attempts of these submissions, by submission, the oldest first."""
    chosen = select(Attempt).where(Attempt.submission_id.in_(submissions)).order_by(Attempt.id)
    attempts = list(session.scalars(chosen))
    ids = [attempt.id for attempt in attempts]
    events = defaultdict(list)
    of_these = select(Event).where(Event.attempt_id.in_(ids))
    for event in session.scalars(of_these.order_by(Event.attempt_id, Event.id)):
        events[event.attempt_id].append(event)
    kinds, tracks = _kinds(session, ids), _tracks(session, ids)
    pasts: dict[int, list[Past]] = defaultdict(list)
    for attempt in attempts:
        past = Past(attempt, tuple(events[attempt.id]), kinds[attempt.id], tracks[attempt.id])
        pasts[attempt.submission_id].append(past)
    return pasts


def _kinds(session: Session, ids: list[int]) -> dict[int, tuple[Kind, ...]]:
    """The kinds of the quota's entries by attempt, in order."""
    chosen = select(QuotaEntry.attempt_id, QuotaEntry.kind).where(QuotaEntry.attempt_id.in_(ids))
    found: dict[int, tuple[Kind, ...]] = defaultdict(tuple)
    for attempt_id, kind in session.execute(chosen.order_by(QuotaEntry.id)):
        found[attempt_id or 0] += (kind,)
    return found


def _tracks(session: Session, ids: list[int]) -> dict[int, tuple[str, ...]]:
    """The tracks that have a report by attempt, in order."""
    chosen = select(TrackReport.attempt_id, TrackReport.track)
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    rows = session.execute(chosen.where(TrackReport.attempt_id.in_(ids)).order_by(TrackReport.id))
    for attempt_id, track in rows:
        found[attempt_id] += (track,)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
