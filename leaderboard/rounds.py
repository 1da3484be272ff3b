"""The monthly round: each team's registered branch, submitted once in a UTC month.

A run adds what is missing and nothing else, one transaction for each team: a second run, one after
a crash half-way or two at once come to the same. What was done with a team is kept with its reason.
While no phase is open nobody can be submitted; then the whole round says so, and a later run of the
same month makes up for it. `leaderboard.schedule` says when a round begins by itself.

A baseline of the organizers takes part only until it has a score on the split: its code does not
change from month to month, so another run would cost hours of the workers and say the same again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import competition as competitions
from leaderboard import endings
from leaderboard.competition import Competition, of_row
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Role, Round, RoundEntry, Submission, Team
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.intake import Accepted, locked_team, open_phase, take
from leaderboard.leases import Work, unstopped
from leaderboard.locks import expect_unlocked
from leaderboard.quota import month_of, stamp
from leaderboard.states import State

SUBMITTED = "submitted"
UNMOVED = "unmoved"
UNDER_WAY = "attempt_under_way"
QUOTA_USED = "quota_used"
BASELINE = "baseline_scored"
CLOSED = "phase_closed"
PLANNED = "planned"
NOT_YET = "not_yet"
MONTH_OVER = "month_over"
"""This one and the two before it are not kept: the team has no entry in this round."""

WORDS = {
    SUBMITTED: "submitted",
    UNMOVED: "passed over",
    UNDER_WAY: "passed over",
    QUOTA_USED: "passed over",
    BASELINE: "passed over",
    CLOSED: "waits",
    PLANNED: "waits",
    NOT_YET: "not in it yet",
    MONTH_OVER: "not reached",
}
"""What happened to a team, by code, for people."""

SCHEDULED = "by schedule"
"""The reason of a round that begins, or has begun, by itself."""

PASSED_OVER = frozenset({CLOSED, UNDER_WAY, QUOTA_USED})
"""The refusals of a submission that a round writes down, and goes on."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the round did with one team, and why; `new` where it was this run that decided."""

    team: str
    baseline: bool
    code: str
    note: str
    submission_id: int | None = None
    at: datetime | None = None
    new: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """The round of a month after a run: a line for each team, baselines last.

    `at` is when it began, or is to begin. `closed` is the sentence of a round in which no phase is
    open; `attempts` are those that this run has made, which workers should be told of.
    """

    competition_id: str
    month: str
    at: datetime
    reason: str
    closed: str | None
    lines: tuple[Line, ...]
    attempts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Begun:
    row: Round
    closed: str | None


@dataclass(frozen=True, slots=True)
class _Decision:
    code: str
    note: str
    accepted: Accepted | None = None


def run(
    db: Database,
    competition_id: str,
    *,
    reason: str = "",
    registered_by: datetime | None = None,
) -> Ran:
    """Run what is missing of this month's round; `registered_by` leaves out teams added later.

    `UsageError` codes: `unknown_competition`, `locked`.
    """
    begun = _begun(db, competition_id, reason=reason)
    made: dict[int, Accepted | None] = {}
    for team_id in _team_ids(db, competition_id, registered_by=registered_by):
        with db.write() as session:
            if month_of(now(session)) != begun.row.month:
                break
            decision = _decide_once(session, team_id, begun.row)
        if decision is not None:
            made[team_id] = decision.accepted
    return replace(
        _seen(db, begun.row, decided=made.keys()),
        closed=begun.closed,
        attempts=tuple(accepted.attempt_id for accepted in made.values() if accepted),
    )


def show(db: Database, competition_id: str, *, month: str | None = None) -> Ran | None:
    """The round of a UTC month (`2026-11`; the current one), as it stands; None if there is none.

    `UsageError` (`unknown_competition`).
    """
    competitions.get(db, competition_id)
    with db.read() as session:
        row = session.scalar(
            select(Round).where(
                Round.competition_id == competition_id,
                Round.month == (month or month_of(now(session))),
            )
        )
    return _seen(db, row) if row is not None else None


def missing(session: Session, row: Round, *, registered_by: datetime) -> bool:
    """Whether a team that was registered by then has no entry in the round."""
    without = (
        select(Team.id)
        .outerjoin(RoundEntry, (RoundEntry.team_id == Team.id) & (RoundEntry.round_id == row.id))
        .where(Team.competition_id == row.competition_id)
        .where(Team.created_at <= registered_by, RoundEntry.id.is_(None))
    )
    return session.scalar(without.limit(1)) is not None


def passed_over(db: Database, work: Work, *, commit: str) -> bool:
    """End an attempt of a round whose branch has not moved since it was scored; whether it was so.

    Its place in the quota is released, and the round keeps the reason. A rerun is never passed
    over: an organizer wants it. `Lost` and `StopAsked` as for any step.
    """
    with db.write() as session:
        return pass_over(session, unstopped(session, work), commit=commit, ref=work.ref)


def pass_over(session: Session, attempt: Attempt, *, commit: str, ref: str) -> bool:
    """As `passed_over`, in the caller's transaction."""
    entry = _entry_of(session, attempt)
    scored = _scored_before(session, attempt, commit) if entry is not None else None
    if entry is None or scored is None:
        return False
    note = f"{ref} did not move: {commit[:12]} is scored as submission {scored}"
    session.get_one(Submission, attempt.submission_id).commit = commit
    endings.cancel(session, attempt, reason=f"passed over by the round: {note}")
    entry.code = UNMOVED
    entry.note = note[:500]
    return True


def _begun(db: Database, competition_id: str, *, reason: str) -> _Begun:
    try:
        return _begin(db, competition_id, reason=reason)
    except IntegrityError:  # another run has made the round at this moment
        return _begin(db, competition_id, reason=reason)


def _begin(db: Database, competition_id: str, *, reason: str) -> _Begun:
    """The round of the current month, made if it is missing; a new reason replaces the old one."""
    competition = competitions.get(db, competition_id)
    with db.write() as session:
        expect_unlocked(session, competition_id)
        month = month_of(now(session))
        row = session.scalar(
            select(Round).where(Round.competition_id == competition_id, Round.month == month)
        )
        if row is None:
            row = Round(competition_id=competition_id, month=month, at=now(session), reason="")
            session.add(row)
        if row.at > now(session):  # it was planned for later in the month
            row.at, row.reason = now(session), ""
        row.reason = reason or row.reason
        session.flush()
        return _Begun(row, _closed(session, competition))


def _closed(session: Session, competition: Competition) -> str | None:
    try:
        open_phase(session, competition)
    except UsageError as error:
        return error.message
    return None


def _team_ids(
    db: Database, competition_id: str, *, registered_by: datetime | None
) -> Sequence[int]:
    """The teams of a competition by name, baselines last."""
    chosen = select(Team.id).where(Team.competition_id == competition_id)
    if registered_by is not None:
        chosen = chosen.where(Team.created_at <= registered_by)
    with db.read() as session:
        return session.scalars(chosen.order_by(Team.baseline, Team.name)).all()


def _decide_once(session: Session, team_id: int, row: Round) -> _Decision | None:
    """Submit the team or pass it over, and write that down; None where it was done before."""
    team = locked_team(session, team_id)
    entry = session.scalar(
        select(RoundEntry).where(RoundEntry.round_id == row.id, RoundEntry.team_id == team.id)
    )
    if entry is not None and entry.code != CLOSED:
        return None
    decision = _decide(session, team, month=row.month)
    if entry is None:
        entry = RoundEntry(round_id=row.id, team_id=team.id)
        session.add(entry)
    entry.submission_id = decision.accepted.submission_id if decision.accepted else None
    entry.at = now(session)
    entry.code = decision.code
    entry.note = decision.note[:500]
    return decision


def _decide(session: Session, team: Team, *, month: str) -> _Decision:
    competition = of_row(session.get_one(CompetitionRow, team.competition_id))
    try:
        phase = open_phase(session, competition)
        if team.baseline and _has_score(session, team, phase.split):
            return _Decision(BASELINE, "a baseline of the organizers that has its score")
        accepted = take(session, team, team.branch, why=f", by the round of {month}")
    except UsageError as error:
        if error.code not in PASSED_OVER:
            raise
        return _Decision(error.code, error.message)
    if not accepted.new:
        note = f"submission {accepted.submission_id} of team {team.name} waits already"
        return _Decision(UNDER_WAY, note)
    return _Decision(SUBMITTED, f"{team.branch} as submission {accepted.submission_id}", accepted)


def _has_score(session: Session, team: Team, split: Role) -> bool:
    scored = select(Attempt.id).where(
        Attempt.team_id == team.id, Attempt.split == split, Attempt.state == State.SCORED
    )
    return session.scalar(scored.limit(1)) is not None


def _seen(db: Database, row: Round, *, decided: Collection[int] = ()) -> Ran:
    """What stands in the round, a line for each team; `decided` are those of this run."""
    with db.read() as session:
        rows = session.execute(
            select(Team, RoundEntry)
            .outerjoin(
                RoundEntry, (RoundEntry.team_id == Team.id) & (RoundEntry.round_id == row.id)
            )
            .where(Team.competition_id == row.competition_id)
            .order_by(Team.baseline, Team.name)
        )
        lines = tuple(
            _line(team, entry, new=team.id in decided)
            if entry is not None
            else _line_without(team, row, now(session))
            for team, entry in rows
        )
    return Ran(row.competition_id, row.month, row.at, row.reason, None, lines)


def _line(team: Team, entry: RoundEntry, *, new: bool) -> Line:
    return Line(
        team.name,
        team.baseline,
        entry.code,
        entry.note,
        submission_id=entry.submission_id,
        at=entry.at,
        new=new,
    )


def _line_without(team: Team, row: Round, moment: datetime) -> Line:
    """Why a team has no entry: it is to come, or came too late, or the month was over."""
    if month_of(moment) > row.month:
        code = MONTH_OVER
        note = "the month ended during the run; the next run is that of the new month"
    elif row.reason == SCHEDULED and team.created_at <= row.at:
        code, note = PLANNED, f"submitted by schedule at {stamp(row.at)}"
    else:
        code, note = NOT_YET, "`rostrum admin round run` takes it in"
    return Line(team.name, team.baseline, code, note)


def _entry_of(session: Session, attempt: Attempt) -> RoundEntry | None:
    """The round's entry of a submission that it made, None for any other and for a rerun."""
    first = select(func.min(Attempt.id)).where(Attempt.submission_id == attempt.submission_id)
    if session.scalar(first) != attempt.id:
        return None
    return session.scalar(
        select(RoundEntry).where(
            RoundEntry.submission_id == attempt.submission_id, RoundEntry.code == SUBMITTED
        )
    )


def _scored_before(session: Session, attempt: Attempt, commit: str) -> int | None:
    """The latest submission in which the team was scored with this commit on the same split."""
    return session.scalar(
        select(func.max(Submission.id))
        .join(Attempt, Attempt.submission_id == Submission.id)
        .where(
            Submission.team_id == attempt.team_id,
            Submission.commit == commit,
            Attempt.state == State.SCORED,
            Attempt.split == attempt.split,
        )
    )
