"""`rostrum admin submissions rerun|cancel|fail|withhold`: what organizers do, with a reason."""

import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

import click
from rich.console import Console

from leaderboard import endings, hints, ledger
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    reason_option,
)
from leaderboard.db.engine import open_database
from leaderboard.ledger import Database
from leaderboard.states import STAGES, Queue, State
from leaderboard.submissions import submission

LOOK_SECONDS = 0.2

id_argument = click.argument("submission_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))

wait_option = click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0, max=3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until the sandbox is gone; 0: not at all.",
)


@click.command("rerun")
@id_argument
@reason_option
@as_json_option
def rerun(submission_id: int, reason: str, as_json: bool) -> None:
    """Make another attempt of submission ID, whatever its state; an open one is cancelled."""
    kept = checked_reason(reason)
    made = ledger.rerun(open_database(), submission_id, reason=kept)
    hints.send(Queue.PREFLIGHT, made.attempt_id)
    document: Document = {
        "submission": made.submission_id,
        "attempt": made.attempt_id,
        "new": made.new,
        "reason": kept if made.new else None,
    }
    sentence = (
        f"Submission {made.submission_id} runs again, as attempt {made.attempt_id}."
        if made.new
        else f"Attempt {made.attempt_id} of submission {made.submission_id} is a rerun that still "
        "waits for a worker; nothing new was made."
    )
    answer(document, as_json=as_json, show=lambda console: _say(console, sentence))


@click.command("cancel")
@id_argument
@reason_option
@wait_option
@as_json_option
def cancel(submission_id: int, reason: str, seconds: float, as_json: bool) -> None:
    """Cancel the latest attempt of submission ID, and see that its sandbox is gone."""
    kept = checked_reason(reason)
    db = open_database()
    attempt_id = submission(db, submission_id).attempt_id
    state = ledger.cancel(db, attempt_id, reason=kept)
    outcome = _ended(db, attempt_id, state=state, wanted=State.CANCELLED, seconds=seconds)
    _answer(submission_id, outcome, reason=kept, as_json=as_json)


@click.command("fail")
@id_argument
@click.option(
    "--code", required=True, metavar="CODE", help="The verdict, one of `docs/verdicts.md`."
)
@reason_option
@wait_option
@as_json_option
def fail(submission_id: int, code: str, reason: str, seconds: float, as_json: bool) -> None:
    """Fail the latest attempt of submission ID by hand; whose fault the verdict is decides the
    quota."""
    kept = checked_reason(reason)
    db = open_database()
    attempt_id = submission(db, submission_id).attempt_id
    state = ledger.fail_by_hand(db, attempt_id, code=code, reason=kept)
    outcome = _ended(db, attempt_id, state=state, wanted=State.FAILED, seconds=seconds)
    _answer(submission_id, outcome, reason=kept, as_json=as_json, code=code)


@click.command("withhold")
@id_argument
@reason_option
@click.option("--undo", is_flag=True, help="Show the score again.")
@as_json_option
def withhold(submission_id: int, reason: str, undo: bool, as_json: bool) -> None:
    """Hide the score of submission ID from everybody, with the reason; --undo shows it again."""
    kept = checked_reason(reason)
    done = ledger.withhold(open_database(), submission_id, reason=kept, undo=undo)
    document: Document = {
        "submission": done.submission_id,
        "attempt": done.attempt_id,
        "withheld": done.reason,
        "reason": kept,
    }
    what = "is shown again" if undo else "is withheld"
    sentence = f"The score of submission {submission_id} (attempt {done.attempt_id}) {what}."
    answer(document, as_json=as_json, show=lambda console: _say(console, sentence))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How an end by hand stands; `verified` is None while, or where, there is nothing to verify."""

    attempt_id: int
    state: State
    wanted: State
    verified: bool | None = None

    @property
    def well(self) -> bool:
        """Whether it has ended as wanted and nothing of it is left."""
        return self.state is self.wanted and self.verified is not False

    def sentence(self, submission_id: int) -> str:
        """What happened, and what to do next."""
        if not STAGES[self.state].final:
            return (
                f"Attempt {self.attempt_id} is still {self.state.value}: its worker was asked to "
                "stop and hears of it at its next heartbeat; `rostrum beat` ends it if the worker "
                f"is silent. See `rostrum admin submissions show {submission_id}`, or repeat this "
                "to wait on."
            )
        if self.state is not self.wanted:
            return f"Attempt {self.attempt_id} was {self.state.value} before it could be stopped."
        end = "is cancelled" if self.wanted is State.CANCELLED else "has failed"
        if self.verified is None:
            return f"Attempt {self.attempt_id} {end}; nothing was running."
        if self.verified:
            return (
                f"Attempt {self.attempt_id} {end}; its worker ended the sandbox and "
                "verified that it is gone."
            )
        return (
            f"Attempt {self.attempt_id} {end}, but nobody could verify that its sandbox is "
            f"gone. `rostrum admin submissions show {submission_id}` names its worker: look there "
            f"for what is called rostrum-{self.attempt_id}-*, and end it."
        )


def _ended(
    db: Database, attempt_id: int, *, state: State, wanted: State, seconds: float
) -> _Outcome:
    """The outcome once the attempt is final, `seconds` are over or the organizer has enough."""
    if STAGES[state].final:
        seconds = 0.0
    console = Console(stderr=True)
    deadline = time.monotonic() + seconds
    text = f"Attempt {attempt_id}: waiting until its worker has ended the sandbox (Ctrl-C: leave)"
    shown = console.status(text) if console.is_terminal and seconds else nullcontext()
    try:
        with shown:
            while True:
                outcome = _outcome(db, attempt_id, wanted=wanted)
                if STAGES[outcome.state].final or time.monotonic() >= deadline:
                    return outcome
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:  # the request stands; only the wait ends
        return _outcome(db, attempt_id, wanted=wanted)


def _outcome(db: Database, attempt_id: int, *, wanted: State) -> _Outcome:
    """What the timeline says; a leased attempt that was ended had something to verify."""
    moments = ledger.timeline(db, attempt_id)
    last = [moment for moment in moments if moment.source is not None][-1:]
    if not last:
        return _Outcome(attempt_id, moments[-1].target, wanted)
    source, state = last[0].source, last[0].target
    if state is not wanted or source is None or not STAGES[source].leased:
        return _Outcome(attempt_id, state, wanted)
    return _Outcome(attempt_id, state, wanted, verified=last[0].code == endings.SANDBOX_GONE)


def _answer(
    submission_id: int, outcome: _Outcome, *, reason: str, as_json: bool, code: str | None = None
) -> None:
    document: Document = {
        "submission": submission_id,
        "attempt": outcome.attempt_id,
        "state": outcome.state.value,
        "verified": outcome.verified,
        "reason": reason,
    }
    if code is not None:
        document["code"] = code
    sentence = outcome.sentence(submission_id)
    answer(document, as_json=as_json, show=lambda console: _say(console, sentence))
    if not outcome.well:
        sys.exit(1)


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
