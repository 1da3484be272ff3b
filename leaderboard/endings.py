"""How an attempt ends without a score, or goes back to try again: faults, losses, cancellation.

Ours lead back to the waiting state, a bounded number of times; then the attempt fails and its
place in the quota is given back, in the same transaction.
"""

from sqlalchemy.orm import Session

from harness.errors import Fault, OperatorError, SubmissionError
from leaderboard import quota
from leaderboard.db.models import Attempt
from leaderboard.states import MAX_LOSSES, MAX_RETRIES, STAGES, State
from leaderboard.transitions import log, move

LOST_CODE = "worker_lost"

SANDBOX_GONE = "sandbox_gone"
"""The code of a cancellation after which the worker has verified that no sandbox is left."""

SANDBOX_LEFT = "sandbox_left"
"""The code of one whose sandbox could not be verified to be gone: an operator must look."""


def end_by(session: Session, attempt: Attempt, error: SubmissionError | OperatorError) -> None:
    """End or retry a leased attempt because of `error`, whose fault decides which."""
    retry_to = STAGES[attempt.state].retry_to
    ours = error.fault is Fault.PLATFORM
    if ours and attempt.stop:
        cancel(session, attempt, reason=f"stop was asked for, then {error.code}", code=error.code)
    elif ours and retry_to is not None and attempt.retries < MAX_RETRIES:
        tried = attempt.retries + 1
        _back(session, attempt, retry_to, code=error.code, retries=tried, losses=attempt.losses)
    else:
        _fail(session, attempt, error)


def lose(session: Session, attempt: Attempt) -> None:
    """Take a leased attempt from a silent worker: back to wait, or failed at the last loss."""
    losses = attempt.losses + 1
    retry_to = STAGES[attempt.state].retry_to
    assert retry_to is not None, f"{attempt.state} is leased and leads nowhere back"
    if losses < MAX_LOSSES:
        _back(session, attempt, retry_to, code=LOST_CODE, retries=attempt.retries, losses=losses)
    else:
        _fail(session, attempt, OperatorError(LOST_CODE), losses=losses)


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


def stopped(session: Session, attempt: Attempt, *, gone: bool) -> None:
    """Cancel an attempt whose worker has stopped; `gone` as far as it could verify."""
    if gone:
        reason, code = "the sandbox is verified gone", SANDBOX_GONE
    else:
        reason, code = "the sandbox could not be verified gone", SANDBOX_LEFT
    cancel(session, attempt, reason=f"stopped by the worker; {reason}", code=code)


def _back(
    session: Session, attempt: Attempt, target: State, *, code: str, retries: int, losses: int
) -> None:
    note = f"{attempt.state.value} again: retry {retries} of {MAX_RETRIES}, lost {losses}"
    move(
        session,
        attempt,
        target,
        code=code,
        note=note,
        fence=attempt.fence + 1,
        retries=retries,
        losses=losses,
        worker=None,
        heartbeat_at=None,
    )


def _fail(
    session: Session,
    attempt: Attempt,
    error: SubmissionError | OperatorError,
    *,
    losses: int | None = None,
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
    quota.settle(session, attempt, ours=error.fault is Fault.PLATFORM, reason=error.code)
