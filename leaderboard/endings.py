"""How an attempt ends without a score, or goes back to try again: faults, losses, cancellation.

Ours lead back to the waiting state, a bounded number of times; then the attempt fails and its
place in the quota is given back, in the same transaction.
"""

from datetime import timedelta
from typing import Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import VERDICTS, Fault, OperatorError, SubmissionError
from leaderboard import quota, settings
from leaderboard.db.engine import now
from leaderboard.db.models import Attempt, Event
from leaderboard.quota import stamp
from leaderboard.states import MAX_LOSSES, MAX_RETRIES, STAGES, State
from leaderboard.transitions import Changes, log, move

LOST_CODE = "worker_lost"

SOUND_CODE = "canary_sound"
"""The code of the line that says that the worker's machine was sound when the attempt began."""

SANDBOX_GONE = "sandbox_gone"
"""The code of a cancellation after which the worker has verified that no sandbox is left."""

SANDBOX_LEFT = "sandbox_left"
"""The code of one whose sandbox could not be verified to be gone: an operator must look."""


RETRY_STEPS = (1, 5, 25)
"""How long each retry waits, in units of `ROSTRUM_RETRY_SECONDS`: the first, the second, ..."""


def end_by(session: Session, attempt: Attempt, error: SubmissionError | OperatorError) -> None:
    """End or retry a leased attempt because of `error`, whose fault decides which."""
    retry_to = STAGES[attempt.state].retry_to
    ours = error.fault is Fault.PLATFORM
    if attempt.stop and (ours or attempt.verdict_code):
        end_asked(session, attempt, note=f"stop was asked for, then {error.code}", code=error.code)
    elif ours and retry_to is not None and attempt.retries < MAX_RETRIES:
        _retry(session, attempt, code=error.code)
    else:
        _fail(session, attempt, error)


def lose(session: Session, attempt: Attempt) -> None:
    """Take a leased attempt from a silent worker: back to wait, or failed at the last loss."""
    losses = attempt.losses + 1
    if losses < MAX_LOSSES:
        note = f"{attempt.state.value} again: lost {losses} of at most {MAX_LOSSES} workers"
        _back(session, attempt, code=LOST_CODE, note=note, losses=losses)
    else:
        _fail(
            session,
            attempt,
            OperatorError(LOST_CODE),
            losses=losses,
            waits=_sound(session, attempt),
        )


def _sound(session: Session, attempt: Attempt) -> bool:
    """Whether the machine that was lost last had proved to be sound: not surely our fault, then."""
    proved = select(Event.id).where(
        Event.attempt_id == attempt.id,
        Event.fence == attempt.fence,
        Event.code == SOUND_CODE,
    )
    return session.scalar(proved.limit(1)) is not None


def cancel(session: Session, attempt: Attempt, *, reason: str, code: str | None = None) -> None:
    """End an attempt because somebody asked for it; what was charged stays charged."""
    move(session, attempt, State.CANCELLED, code=code, note=reason, worker=None, heartbeat_at=None)
    quota.settle(session, attempt, ours=False, reason=f"cancelled: {reason}")


def end_open(session: Session, attempt: Attempt, *, reason: str) -> None:
    """Cancel a waiting attempt at once, or ask the worker of a leased one to stop."""
    if STAGES[attempt.state].leased:
        attempt.stop = True
        log(session, attempt, source=None, note=f"stop asked for: {reason}")
    else:
        cancel(session, attempt, reason=reason)


def fail_open(session: Session, attempt: Attempt, *, code: str, reason: str) -> None:
    """Fail a waiting attempt at once; the worker of a leased one is asked to stop before.

    The verdict is set down now, and whatever the worker still says does not change it.
    """
    if attempt.verdict_code is None:
        attempt.verdict_code = code
    if STAGES[attempt.state].leased:
        attempt.stop = True
        log(session, attempt, source=None, code=code, note=f"failed by hand: {reason}")
    else:
        end_asked(session, attempt, note=f"failed by hand: {reason}", code=code)


def end_asked(session: Session, attempt: Attempt, *, note: str, code: str | None) -> None:
    """End an attempt that somebody wants ended: failed if by a verdict, else cancelled."""
    if attempt.verdict_code is None:
        cancel(session, attempt, reason=note, code=code)
        return
    ours = VERDICTS[attempt.verdict_code].fault is Fault.PLATFORM
    move(session, attempt, State.FAILED, code=code, note=note, worker=None, heartbeat_at=None)
    quota.settle(session, attempt, ours=ours, reason=attempt.verdict_code)


def stopped(session: Session, attempt: Attempt, *, gone: bool) -> None:
    """End an attempt whose worker has stopped; `gone` as far as it could verify."""
    if gone:
        reason, code = "the sandbox is verified gone", SANDBOX_GONE
    else:
        reason, code = "the sandbox could not be verified gone", SANDBOX_LEFT
    end_asked(session, attempt, note=f"stopped by the worker; {reason}", code=code)


def give_back(session: Session, attempt: Attempt, *, gone: bool) -> None:
    """Send a leased attempt back to wait because its worker is being stopped."""
    if attempt.stop:
        stopped(session, attempt, gone=gone)
    else:
        _back(session, attempt, note=f"{attempt.state.value} again: its worker is being stopped")


def to_gpu(session: Session, attempt: Attempt) -> None:
    """Send a leased attempt back to wait for a worker with a GPU."""
    _back(session, attempt, note="it asks for a GPU: handed to the workers that have one", gpu=True)


def retry_wait(retries: int) -> timedelta:
    """How long an attempt waits before its retry of this number, the first being 1."""
    return settings.retry_after() * RETRY_STEPS[min(retries, len(RETRY_STEPS)) - 1]


def _retry(session: Session, attempt: Attempt, *, code: str) -> None:
    tried = attempt.retries + 1
    due = now(session) + retry_wait(tried)
    note = f"{attempt.state.value} again: retry {tried} of {MAX_RETRIES}, not before {stamp(due)}"
    _back(session, attempt, code=code, note=note, retries=tried, not_before=due)


def _back(
    session: Session,
    attempt: Attempt,
    *,
    note: str,
    code: str | None = None,
    **changes: Unpack[Changes],
) -> None:
    """Send a leased attempt back to where it waits, its lease over."""
    target = STAGES[attempt.state].retry_to
    assert target is not None, f"{attempt.state} is leased and leads nowhere back"
    changes |= {"fence": attempt.fence + 1, "worker": None, "heartbeat_at": None}
    move(session, attempt, target, code=code, note=note, **changes)


def _fail(
    session: Session,
    attempt: Attempt,
    error: SubmissionError | OperatorError,
    *,
    losses: int | None = None,
    waits: bool = False,
) -> None:
    move(
        session,
        attempt,
        State.FAILED,
        code=error.code,
        note=f"detail: {error.detail}" if error.detail else "",
        worker=None,
        heartbeat_at=None,
        losses=attempt.losses if losses is None else losses,
        verdict_code=error.code,
        verdict_detail=error.detail,
    )
    quota.settle(
        session, attempt, ours=error.fault is Fault.PLATFORM, waits=waits, reason=error.code
    )
