"""One attempt, from a worker's lease to the end of that lease.

Whatever happens inside becomes exactly one word to the ledger: a step, a score, a failure with
the person at fault, a cancellation; or silence, if the lease is no longer ours or the worker is
being stopped: then the sweep gives the attempt back.
"""

import logging
from collections.abc import Callable

from harness.errors import OperatorError, SubmissionError
from leaderboard import ledger
from leaderboard.states import State
from worker.hold import Hold, Reason
from worker.preflight import preflight
from worker.sandbox.cell import AlreadyRunningError
from worker.scoring import scoring
from worker.stopped import Stopped
from worker.workplace import Workplace

WAYS: dict[State, Callable[[Workplace, Hold], None]] = {
    State.FETCHING: preflight,
    State.RUNNING: scoring,
}
"""What a lease leads to, by the state that it begins with."""

_log = logging.getLogger(__name__)


def attend(workplace: Workplace, attempt_id: int) -> bool:
    """Lease an attempt and work on it; False if it does not wait (any more)."""
    if workplace.shutdown.is_set():
        return False
    work = ledger.lease(workplace.db, attempt_id, worker=workplace.name)
    if work is None:
        return False
    _log.info("leased: attempt=%d state=%s fence=%d", attempt_id, work.state.value, work.fence)
    settings = workplace.settings
    with Hold(
        workplace.db,
        work,
        every=settings.heartbeat_seconds,
        patience=settings.lost_seconds,
        shutdown=workplace.shutdown,
    ) as hold:
        _work(workplace, hold)
    return True


def _work(workplace: Workplace, hold: Hold) -> None:
    try:
        WAYS[hold.work.state](workplace, hold)
        _log.info("done: attempt=%d", hold.work.attempt_id)
    except ledger.Lost as lost:
        _log.warning("lease lost: attempt=%d reason=%s", hold.work.attempt_id, lost)
    except AlreadyRunningError:
        _log.warning("a newer delivery is at work: attempt=%d", hold.work.attempt_id)
    except Stopped:
        _stopped(workplace, hold)
    except (SubmissionError, OperatorError) as error:
        _failed(workplace, hold, error)
    except Exception:  # a bug of ours: the traceback stays here, the attempt learns the code
        _log.exception("evaluator bug: attempt=%d", hold.work.attempt_id)
        _failed(workplace, hold, OperatorError("evaluator_bug"))


def _stopped(workplace: Workplace, hold: Hold) -> None:
    """Every cell was ended by now. Only a cancel has something to write."""
    if hold.reason is not Reason.CANCELLED:
        return
    gone = hold.unverified == 0
    if not gone:
        _log.error("cancelled, sandbox not verified gone: attempt=%d", hold.work.attempt_id)
    try:
        ledger.stopped(workplace.db, hold.work, gone=gone)
    except ledger.Lost:
        _log.warning("cancelled too late: attempt=%d", hold.work.attempt_id)


def _failed(workplace: Workplace, hold: Hold, error: SubmissionError | OperatorError) -> None:
    if hold.stop.is_set():  # the error is an echo of the stop
        return _stopped(workplace, hold)
    try:
        state = ledger.fail(workplace.db, hold.work, error)
    except ledger.Lost:
        _log.warning("failed too late: attempt=%d code=%s", hold.work.attempt_id, error.code)
        return None
    _log.warning(
        "failed: attempt=%d code=%s detail=%s state=%s reason=%s",
        hold.work.attempt_id,
        error.code,
        error.detail,
        state.value,
        error.message if isinstance(error, OperatorError) else "theirs",
    )
    return None
