"""The only writer of attempts, and the worker's door to the database.

A worker *leases* a waiting attempt and gets a `Work` with a *fence*; every later call carries it
and is refused with `Lost` once another lease has begun. Each change is one transaction: a
compare-and-swap on state and fence, one event, and the quota entry that belongs to it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict, Unpack

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from harness.agent import Track
from harness.errors import VERDICTS, OperatorError, SubmissionError, UsageError
from harness.report import Report
from leaderboard import endings
from leaderboard.book import Book, book, grant
from leaderboard.db.engine import Database, now, open_database
from leaderboard.db.models import Attempt, Event, PreflightLog, Submission, TrackReport
from leaderboard.intake import Accepted, accept
from leaderboard.leases import StopAsked, Work, fenced, further, leased, locked, unstopped
from leaderboard.pace import Pace
from leaderboard.reruns import rerun
from leaderboard.rounds import passed_over
from leaderboard.states import STAGES, State
from leaderboard.sweep import Swept, sweep
from leaderboard.transitions import Changes, Lost, log, move
from leaderboard.turns import (
    Hint,
    give_back,
    is_any,
    lease,
    lease_next,
    needs_gpu,
    waiting,
    wants_gpu,
)
from leaderboard.withholding import Withheld, withhold

__all__ = [
    "Accepted",
    "Beat",
    "Book",
    "Database",
    "Facts",
    "Hint",
    "Lost",
    "Moment",
    "Pace",
    "StopAsked",
    "Swept",
    "Withheld",
    "Work",
    "accept",
    "advance",
    "book",
    "cancel",
    "fail",
    "fail_by_hand",
    "found_sound",
    "give_back",
    "grant",
    "heartbeat",
    "is_any",
    "keep_log",
    "lease",
    "lease_next",
    "needs_gpu",
    "now",
    "open_database",
    "passed_over",
    "rerun",
    "score",
    "stopped",
    "sweep",
    "timeline",
    "unknown_attempt",
    "waiting",
    "wants_gpu",
    "withhold",
]

LOG_BYTES = 256 << 10
"""The most of one preflight log that is kept: its end."""

ENTRY_LENGTH = 80

BuildLog = Literal["build"]
"""The name of the log of an installation of requirements, beside those of the tracks."""

_FORWARD = {
    State.FETCHING: State.BUILDING,
    State.BUILDING: State.PREFLIGHT,
    State.PREFLIGHT: State.QUEUED,
}


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat: whether the lease still holds, whether to stop."""

    held: bool
    stop: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline; `source` is None where the state did not move."""

    at: datetime
    source: State | None
    target: State
    worker: str | None
    code: str | None
    note: str


class Facts(TypedDict, total=False):
    """What a worker has learnt on its way; digests and names, nothing from the submission."""

    commit: str
    entry: str
    tracks: tuple[Track, ...]
    environment: str | None
    image: str | None
    sandbox: str
    can_chat: bool | None
    gpu: bool


def heartbeat(db: Database, work: Work) -> Beat:
    """Say that the worker is alive; `held` is false once the lease has ended."""
    with db.write() as session:
        beaten = session.execute(
            update(Attempt)
            .where(
                Attempt.id == work.attempt_id,
                Attempt.fence == work.fence,
                Attempt.state.in_([state for state, stage in STAGES.items() if stage.leased]),
            )
            .values(heartbeat_at=now(session))
        )
        assert isinstance(beaten, CursorResult)
        stop = session.scalar(select(Attempt.stop).where(Attempt.id == work.attempt_id))
        return Beat(held=beaten.rowcount == 1, stop=bool(stop))


def advance(db: Database, work: Work, target: State, **facts: Unpack[Facts]) -> Work:
    """Go one step forward (`building`, `preflight`, `queued`) with what was learnt.

    `queued` ends the lease. `Lost` if the lease has ended, `StopAsked` if it should; `ValueError`
    for any other step.
    """
    if _FORWARD.get(work.state) is not target:
        raise ValueError(f"a worker cannot advance from {work.state} to {target}")
    with db.write() as session:
        attempt = unstopped(session, work)
        learnt: dict[str, str | None] = {}
        if "commit" in facts:
            learnt["commit"] = facts["commit"]
        if "entry" in facts:
            learnt["entry"] = facts["entry"].strip()[:ENTRY_LENGTH] or None
        if learnt:
            session.execute(
                update(Submission).where(Submission.id == attempt.submission_id).values(learnt)
            )
        move(session, attempt, target, **_changes(session, target, facts))
        return further(work, attempt, commit=facts.get("commit", work.commit))


def keep_log(db: Database, work: Work, *, name: Track | BuildLog, text: str) -> None:
    """Keep the end of what a submission printed in its build or preflight; a retry replaces it.

    `name` is the track, or `build`. `ValueError` in any other state: no text of a hidden run is
    ever stored.
    """
    if work.state not in (State.BUILDING, State.PREFLIGHT):
        raise ValueError(f"logs are kept of builds and preflights only, not of {work.state}")
    tail = text.encode("utf-8", "replace")[-LOG_BYTES:].decode("utf-8", "ignore")
    with db.write() as session:
        attempt = leased(session, work)
        session.execute(
            delete(PreflightLog).where(
                PreflightLog.attempt_id == attempt.id, PreflightLog.track == name
            )
        )
        session.add(
            PreflightLog(
                attempt_id=attempt.id,
                track=name,
                at=now(session),
                text=tail.replace("\x00", "\N{REPLACEMENT CHARACTER}"),
            )
        )


def score(db: Database, work: Work, reports: Mapping[Track, Report]) -> None:
    """End a running attempt with the reports of all its tracks, or with none of them.

    `ValueError` unless there is exactly one report for each track entered; `Lost` and `StopAsked`
    as in `advance`.
    """
    if set(reports) != set(work.tracks) or any(reports[t].track != t for t in reports):
        raise ValueError(f"reports of {sorted(reports)} for the tracks {sorted(work.tracks)}")
    with db.write() as session:
        attempt = unstopped(session, work)
        session.add_all(_row(attempt, report) for report in reports.values())
        move(session, attempt, State.SCORED, worker=None, heartbeat_at=None)


def fail(db: Database, work: Work, error: SubmissionError | OperatorError) -> State:
    """End the lease by an error; returns the state that follows.

    The submission's fault fails the attempt. Ours sends it back to wait, at most `MAX_RETRIES`
    times, then fails it and gives the place back. The first reason wins: once the lease has
    ended, a later error (of the clean-up) is only noted. `Lost` if another lease has begun.
    """
    with db.write() as session:
        attempt = fenced(session, work)
        if STAGES[attempt.state].leased:
            endings.end_by(session, attempt, error)
        else:
            log(session, attempt, source=None, code=error.code, note="afterwards")
        return attempt.state


def found_sound(db: Database, work: Work) -> None:
    """Note that a cell of the platform's own ran well on the worker, before this attempt's."""
    with db.write() as session:
        note = "a program of the platform's own ran well on this worker just before"
        log(session, leased(session, work), source=None, code=endings.SOUND_CODE, note=note)


def stopped(db: Database, work: Work, *, gone: bool) -> None:
    """End the lease because a stop was asked for: cancelled.

    `gone` says that the worker has verified that no sandbox of this lease is left.
    """
    with db.write() as session:
        endings.stopped(session, leased(session, work), gone=gone)


def cancel(db: Database, attempt_id: int, *, reason: str) -> State:
    """Cancel a waiting attempt at once, or ask the worker of a leased one to stop.

    Returns the state that holds now. A final attempt is a `UsageError` (`attempt_final`).
    """
    with db.write() as session:
        attempt = _open(session, attempt_id)
        endings.end_open(session, attempt, reason=reason)
        return attempt.state


def fail_by_hand(db: Database, attempt_id: int, *, code: str, reason: str) -> State:
    """Fail an attempt by an organizer's verdict, one of `VERDICTS`; as `cancel` otherwise.

    Whose fault the code is decides the quota. `UsageError` codes: `unknown_verdict`, and those of
    `cancel`.
    """
    if code not in VERDICTS:
        near = difflib.get_close_matches(code, VERDICTS, n=1, cutoff=0.0)
        raise UsageError(
            f"there is no verdict {code!r}; did you mean {near[0]!r}?", code="unknown_verdict"
        )
    with db.write() as session:
        attempt = _open(session, attempt_id)
        endings.fail_open(session, attempt, code=code, reason=reason)
        return attempt.state


def timeline(db: Database, attempt_id: int) -> list[Moment]:
    """What happened to an attempt, in order."""
    with db.read() as session:
        events = session.scalars(
            select(Event).where(Event.attempt_id == attempt_id).order_by(Event.id)
        )
        return [Moment(e.at, e.source, e.target, e.worker, e.code, e.note) for e in events.all()]


def unknown_attempt(attempt_id: int) -> UsageError:
    """The error of an attempt that does not exist."""
    return UsageError(f"there is no attempt {attempt_id}", code="unknown_attempt")


def _open(session: Session, attempt_id: int) -> Attempt:
    """The attempt, locked and not at its end."""
    attempt = locked(session, attempt_id)
    if attempt is None:
        raise unknown_attempt(attempt_id)
    if STAGES[attempt.state].final:
        raise UsageError(
            f"attempt {attempt_id} is already {attempt.state.value}", code="attempt_final"
        )
    return attempt


def _changes(session: Session, target: State, facts: Facts) -> Changes:
    """The columns of the attempt that a step to `target` with these facts sets."""
    changes: Changes = {"heartbeat_at": now(session)}
    if target is State.QUEUED:
        changes = {"heartbeat_at": None, "worker": None}
    if "tracks" in facts:
        changes["tracks"] = list(facts["tracks"])
    if "environment" in facts:
        changes["environment"] = facts["environment"]
    if "image" in facts:
        changes["image"] = facts["image"]
    if "sandbox" in facts:
        changes["sandbox"] = facts["sandbox"]
    if "can_chat" in facts:
        changes["can_chat"] = facts["can_chat"]
    if "gpu" in facts:
        changes["gpu"] = facts["gpu"]
    return changes


def _row(attempt: Attempt, report: Report) -> TrackReport:
    return TrackReport(
        attempt_id=attempt.id,
        track=report.track,
        value=report.score.value,
        low=report.score.low,
        high=report.score.high,
        n=report.score.n,
        signature=report.signature,
        sandbox=report.sandbox,
        tokens=report.tokens,
        vocabulary=report.vocabulary,
        document=report.dumps(),
    )
