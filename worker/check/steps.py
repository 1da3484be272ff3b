"""What a check finds, step by step as the server goes: a line each, a verdict where one fails."""

from dataclasses import dataclass
from enum import StrEnum

from harness.errors import OperatorError, RostrumError, SubmissionError
from harness.report import Report


class Outcome(StrEnum):
    """How a step went; only `failed` keeps a submission from its scores."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NOT_ENTERED = "not entered"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `text` is a line for people, `notes` are what to know besides.

    `error` is why it failed. `log` is what the program printed last; `peak` the bytes of memory
    that it used at most; `talks` whether it answered a chat's first line (None: not asked).
    """

    name: str
    outcome: Outcome
    text: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: RostrumError | None = None
    log: str = ""
    report: Report | None = None
    peak: int | None = None
    talks: bool | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no way past it."""
        return self.outcome is Outcome.FAILED

    @property
    def ours(self) -> bool:
        """Whether it failed by this machine's fault, of which the submission knows nothing."""
        return isinstance(self.error, OperatorError)


def failed(name: str, error: RostrumError, *, seconds: float = 0.0, log: str = "") -> Step:
    """A step that ended in this error: its verdict's title, its hint, what is known of the case."""
    if not isinstance(error, SubmissionError | OperatorError):
        return Step(name, Outcome.FAILED, error.message, _told(error.hint), seconds, error, log)
    verdict = error.verdict
    facts = error.message if error.message != verdict.title else ""
    detail = f" ({error.detail})" if error.detail else ""
    notes = [facts, _MACHINE if isinstance(error, OperatorError) else verdict.hint]
    return Step(
        name,
        Outcome.FAILED,
        f"{error.code}{detail}: {verdict.title}",
        _told(*notes),
        seconds,
        error,
        log,
    )


_MACHINE = (
    "This machine is at fault, not the submission: `rostrum doctor` looks what it lacks. On the "
    "server such an attempt is tried again and not counted."
)


def _told(*notes: str) -> tuple[str, ...]:
    return tuple(note for note in notes if note)
