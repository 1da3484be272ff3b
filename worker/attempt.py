"""One attempt, from a worker's lease to the end of that lease.

Whatever happens inside becomes exactly one word to the ledger: a step, a score, a failure with
the person at fault, a cancellation, or the lease given back because the worker is being stopped;
or silence, if the lease is no longer ours.
"""

import logging
from collections.abc import Callable
from contextlib import suppress

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import competition, fleet, hints, ledger
from leaderboard.states import STAGES, Queue, State
from worker import canary
from worker.hold import Hold, Reason
from worker.images.disk import ours_if_full
from worker.place import Place
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


HINT_SECONDS = 1.0
"""How long a worker that is being stopped tells the others what it gives back."""


def attend(workplace: Workplace, attempt_id: int) -> bool:
    """Lease an attempt and work on it; False if it is not to be had (any more)."""
    if workplace.shutdown.is_set():
        return False
    gpu = (False,) if workplace.gpu is None else (False, True)
    return _attend(
        workplace, ledger.lease(workplace.db, attempt_id, worker=workplace.name, gpu=gpu)
    )


def attend_next(workplace: Workplace, queue: Queue, *, gpu: bool) -> bool:
    """Lease the attempt whose turn it is and work on it; False if none waits for this worker."""
    if workplace.shutdown.is_set():
        return False
    return _attend(
        workplace, ledger.lease_next(workplace.db, queue, worker=workplace.name, gpu=(gpu,))
    )


def _attend(workplace: Workplace, work: ledger.Work | None) -> bool:
    if work is None:
        return False
    _log.info("leased: attempt=%d state=%s fence=%d", work.attempt_id, work.state.value, work.fence)
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
        with ours_if_full():
            if hold.work.losses:
                _prove(workplace, hold)
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


def _prove(workplace: Workplace, hold: Hold) -> None:
    """An attempt that has lost a worker begins behind a cell of our own.

    A machine that cannot run that one hands the attempt on; one that can has it on record, in case
    that it is lost with this attempt.
    """
    rules = competition.get(workplace.db, hold.work.competition_id)
    bench = workplace.benches.get(rules.sandbox[0])
    place = Place.open(workplace.settings.sandbox_directory)
    if found := canary.trouble(bench.sandbox, canary.tree(place)):
        raise OperatorError("engine_down", message=f"a cell of our own failed: {found}")
    hold.check()
    ledger.found_sound(workplace.db, hold.work)


def _stopped(workplace: Workplace, hold: Hold) -> None:
    """Every cell was ended by now; who lost the lease has nothing to write."""
    if hold.reason is Reason.SHUTDOWN:
        return _give_back(workplace, hold)
    if hold.reason is not Reason.CANCELLED:
        return None
    gone = hold.unverified == 0
    if not gone:
        _log.error("cancelled, sandbox not verified gone: attempt=%d", hold.work.attempt_id)
    try:
        ledger.stopped(workplace.db, hold.work, gone=gone)
    except ledger.Lost:
        _log.warning("cancelled too late: attempt=%d", hold.work.attempt_id)
    return None


def _give_back(workplace: Workplace, hold: Hold) -> None:
    """The attempt waits again, for another worker, and has lost nothing."""
    work = hold.work
    try:
        state = ledger.give_back(workplace.db, work, gone=hold.unverified == 0)
    except ledger.Lost:
        return _log.warning("given back too late: attempt=%d", work.attempt_id)
    if queue := STAGES[state].queue:
        hints.send(queue, work.attempt_id, gpu=work.gpu, seconds=HINT_SECONDS)
    return None


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
    if error.code == "gpu_lost":
        _drain(workplace, reason=error.message)
    return None


def _drain(workplace: Workplace, *, reason: str) -> None:
    """Take no more until an organizer has looked: every attempt on a lost device would fail."""
    with suppress(UsageError):  # a worker that never announced itself has nothing to drain
        fleet.drain(workplace.db, workplace.name, reason=reason)
        _log.error("drained: reason=%s", reason)
