"""What people see of submissions: one with its timeline, or a list.

Shown is the latest attempt. Withheld scores and the names of machines are left out; logs are
only named here, their text has a function of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from harness.agent import TRACKS, Track
from harness.errors import VERDICTS, Fault, UsageError
from harness.report import Report
from leaderboard import quota, reasons, turns
from leaderboard.competition import of_row
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, PreflightLog, Submission, Team, TrackReport
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.expected import Expected, expected
from leaderboard.figures import Cell, cell
from leaderboard.ledger import Moment, timeline
from leaderboard.states import STAGES, State


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a row of `VERDICTS` with this attempt's detail."""

    code: str
    title: str
    hint: str
    detail: str | None
    fault: Fault
    anchor: str


@dataclass(frozen=True, slots=True)
class SubmissionLine:
    """One submission in a list, by its latest attempt."""

    id: int
    attempt_id: int
    team: str
    baseline: bool
    entry: str
    ref: str
    commit: str | None
    accepted_at: datetime
    state: State
    since: datetime
    final: bool
    sentence: str
    verdict: Failure | None
    tracks: tuple[Track, ...]
    withheld: str | None


@dataclass(frozen=True, slots=True)
class SubmissionView(SubmissionLine):
    """One submission in full: a line of the list, and all that its page shows.

    `ahead` counts the attempts that wait before it (None where it does not wait), `expected` says
    when it may start, as far as one can tell. `logs` names what the kept logs are of, a track or
    `build` (for the team's own eyes), `quota.sentence` is a line for people.
    """

    competition_id: str
    team_id: int
    ahead: int | None
    expected: Expected | None
    retries: int
    losses: int
    sandbox: str | None
    can_chat: bool | None
    scores: Mapping[Track, Cell]
    timeline: tuple[Moment, ...]
    logs: tuple[str, ...]
    quota: quota.Usage
    moment: datetime


BUILD = "build"
"""The name of the log of an installation of requirements, beside those of the tracks."""

_Found = tuple[Attempt, Submission, Team]


def submission(db: Database, submission_id: int) -> SubmissionView:
    """One submission; `UsageError` (`unknown_submission`) if there is none of this id."""
    with db.read() as session:
        found = session.execute(_latest().where(Submission.id == submission_id)).one_or_none()
        if found is None:
            raise UsageError(f"there is no submission {submission_id}", code="unknown_submission")
        view = _view(session, found)
    moments = timeline(db, view.attempt_id)
    return replace(view, timeline=tuple(replace(moment, worker=None) for moment in moments))


def listing(
    db: Database, competition_id: str, *, team_id: int | None = None
) -> list[SubmissionLine]:
    """The submissions of a competition, or of one team of it, the newest first."""
    chosen = _latest().where(Team.competition_id == competition_id)
    if team_id is not None:
        chosen = chosen.where(Team.id == team_id)
    with db.read() as session:
        rows = session.execute(chosen.order_by(Submission.id.desc()))
        return [_line(row, ahead=None) for row in rows]


def reports(db: Database, attempt_id: int) -> dict[str, Report]:
    """The whole reports of an attempt by track, unrounded: for organizers, withheld or not."""
    with db.read() as session:
        documents = session.scalars(
            select(TrackReport.document).where(TrackReport.attempt_id == attempt_id)
        ).all()
    found = [Report.from_json(json.loads(document)) for document in documents]
    return {report.track: report for track in TRACKS for report in found if report.track == track}


def preflight_log(db: Database, submission_id: int, name: str) -> str:
    """The kept log of the latest preflight or `build`, for its own team and the organizers only.

    Hostile text: escape it where it is shown. `UsageError` (`no_log`) where none is kept.
    """
    with db.read() as session:
        text = session.scalar(
            select(PreflightLog.text)
            .join(Attempt, Attempt.id == PreflightLog.attempt_id)
            .where(Attempt.submission_id == submission_id, PreflightLog.track == name)
            .order_by(PreflightLog.attempt_id.desc())
            .limit(1)
        )
    if text is None:
        raise UsageError(f"submission {submission_id} has no log of {name}", code="no_log")
    return text


def _latest() -> Select[Attempt, Submission, Team]:
    """Each submission with its team and its latest attempt."""
    newest = (
        select(func.max(Attempt.id))
        .where(Attempt.submission_id == Submission.id)
        .correlate(Submission)
        .scalar_subquery()
    )
    return (
        select(Attempt, Submission, Team)
        .join(Submission, Submission.id == Attempt.submission_id)
        .join(Team, Team.id == Submission.team_id)
        .where(Attempt.id == newest)
    )


def _line(found: _Found, *, ahead: int | None, held_up: bool = False) -> SubmissionLine:
    attempt, submission, team = found
    entered = attempt.tracks or ()
    return SubmissionLine(
        id=submission.id,
        attempt_id=attempt.id,
        team=team.name,
        baseline=team.baseline,
        entry=submission.entry or team.name,
        ref=submission.ref,
        commit=submission.commit,
        accepted_at=attempt.accepted_at,
        state=attempt.state,
        since=attempt.state_since,
        final=STAGES[attempt.state].final,
        sentence=reasons.state_sentence(attempt, ahead=ahead, held_up=held_up),
        verdict=_failure(attempt),
        tracks=tuple(track for track in TRACKS if track in entered),
        withheld=attempt.withheld,
    )


def _view(session: Session, found: _Found) -> SubmissionView:
    attempt, _, team = found
    row = session.get_one(CompetitionRow, team.competition_id)
    ahead = turns.ahead(session, attempt)
    line = _line(found, ahead=ahead, held_up=turns.held_up(session, attempt))
    return SubmissionView(
        **{each.name: getattr(line, each.name) for each in fields(line)},
        competition_id=team.competition_id,
        team_id=team.id,
        ahead=ahead,
        expected=None if ahead is None else expected(session, attempt, ahead=ahead),
        retries=attempt.retries,
        losses=attempt.losses,
        sandbox=attempt.sandbox,
        can_chat=attempt.can_chat,
        scores=_scores(session, attempt),
        timeline=(),
        logs=_logs(session, attempt),
        quota=quota.usage(session, team.id, of_row(row).allowance),
        moment=now(session),
    )


def _failure(attempt: Attempt) -> Failure | None:
    verdict = VERDICTS.get(attempt.verdict_code or "")
    if verdict is None or attempt.state is not State.FAILED:  # failed by hand, not ended yet
        return None
    return Failure(
        code=verdict.code,
        title=verdict.title,
        hint=verdict.hint,
        detail=attempt.verdict_detail,
        fault=verdict.fault,
        anchor=verdict.anchor,
    )


def _scores(session: Session, attempt: Attempt) -> dict[Track, Cell]:
    if attempt.withheld is not None:
        return {}
    rows = session.scalars(select(TrackReport).where(TrackReport.attempt_id == attempt.id))
    cells = [cell(row) for row in rows]
    return {found.track: found for track in TRACKS for found in cells if found.track == track}


def _logs(session: Session, attempt: Attempt) -> tuple[str, ...]:
    kept = set(
        session.scalars(select(PreflightLog.track).where(PreflightLog.attempt_id == attempt.id))
    )
    return tuple(name for name in (BUILD, *TRACKS) if name in kept)
