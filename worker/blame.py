"""Whose fault is this end: the evaluator's error and the runner's observations give one verdict.

Ours only on evidence that a submission cannot produce: the engine failed, the cell vanished or was
killed from outside, no HELLO came (it is said before a byte of theirs is read), the evaluator
raised. What the runner saw
of the cell (memory, output, disk) overrides a mere symptom, and a finished score, too. What a
FAIL from inside says decides the wording, never the fault. Pure functions; the tables are data.
"""

import signal

from harness.errors import OperatorError, RostrumError, SubmissionError
from worker.sandbox import Exit

SYMPTOMS = frozenset(
    {"early_exit", "crashed", "protocol", "load_timeout", "batch_timeout", "total_timeout"}
)
"""Verdicts that the runner's own observation explains better."""

OBSERVATIONS = (
    ("out_of_memory", "out_of_memory"),
    ("output_limit", "output_limit"),
    ("disk_full", "disk_limit"),
)
"""Fields of `Exit` and the verdicts they mean, the strongest first."""


def judge(error: BaseException | None, end: Exit) -> RostrumError | None:
    """The final verdict of one cell; None if its answers count.

    `error` is what the evaluation raised (None: it finished), `end` what `Cell.finish` reported.
    """
    if error is not None and not isinstance(error, SubmissionError):
        return _ours(error)
    observed = _observed(end)
    if error is None:
        return observed
    if error.code not in SYMPTOMS:
        return error
    if observed is not None:
        return observed
    if error.code == "early_exit":
        return _how_it_left(error, end)
    return error


def deserves_retry(end: Exit) -> bool:
    """Whether the cell was ended by a SIGKILL that neither we nor the memory limit explains.

    The host may have done it: one retry, then it counts as a crash.
    """
    return end.signal == signal.SIGKILL and not (end.removed or _observed(end))


def _ours(error: BaseException) -> RostrumError:
    """Anything that is no verdict of a submission: the platform's, or what we did wrong."""
    if isinstance(error, RostrumError):
        return error
    return OperatorError("evaluator_bug", message=f"the evaluator raised {type(error).__name__}")


def _observed(end: Exit) -> SubmissionError | None:
    for field, code in OBSERVATIONS:
        if getattr(end, field):
            return SubmissionError(code)
    return None


def _how_it_left(error: SubmissionError, end: Exit) -> RostrumError:
    """The stream ended: by a signal, by a status, quietly, or because the cell was taken away."""
    if end.killed:
        return OperatorError("engine_down", message="the cell was killed from outside")
    if end.signal is not None:
        return SubmissionError("crashed", detail="signal", message=f"ended by {_name(end.signal)}")
    if end.code:
        return SubmissionError("crashed", detail="exit", message=f"exit status {end.code}")
    if end.code is None and not end.removed:
        return OperatorError("engine_down", message="the cell vanished, and not by its own doing")
    return error


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
