"""One track of one attempt in one fresh cell: started, asked, ended, its end judged."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Protocol

from harness.agent import Track
from harness.dialogue import Context, Dialogue, Turn
from harness.errors import OperatorError, RostrumError, SubmissionError
from harness.evaluation import evaluate
from harness.metrics.lineups import Crowd
from harness.remote.client import RemoteAgent
from harness.report import Report
from harness.text import Vocabulary
from worker import canary
from worker.blame import deserves_retry, judge
from worker.gpu import expect_answer, turn
from worker.memory import resident_peak
from worker.sandbox import Cell, Exit, Job, Limits, Sandbox

if TYPE_CHECKING:  # `rostrum check` sits exams where there is no ledger to hold
    from worker.hold import Hold

_SPARE_SECONDS = 60.0
"""What a cell may outlive its own limits by, before the reaper takes it."""

_log = logging.getLogger(__name__)

_GREETING = "hello , how are you today ?"


class Invigilator(Protocol):
    """Who may end an exam early; a `Hold` of an attempt is one.

    `unverified` counts the cells that were started and are not verified to be gone.
    """

    stop: Event
    unverified: int

    def talking(self, talk: RemoteAgent) -> AbstractContextManager[None]:
        """While the block runs, a stop interrupts `talk`; `Stopped` at its beginning or end."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked and how it is scored: the data, its name outside, the key of what is shown.

    `name` None: the set is called by its own sha256, as in runs by hand. `crowd`: whom replies tell
    a persona from, that of the whole set where the dialogues are a part.
    """

    dialogues: Sequence[Dialogue]
    vocabulary: Vocabulary
    zero: str
    secret: bytes
    name: str | None
    crowd: Crowd | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """Where an attempt sits its exams: the tree, its packages, the limits, the sandbox.

    `house` tells the cells of one installation from those of another on the same machine, whose
    attempts bear the same numbers. `gpu` is the device that its cells see, one at a time by the
    locks in the folder `turns`. `canary` is the tree of `worker.canary`, None where nobody asks it.
    """

    sandbox: Sandbox
    code: Path
    environment: Path | None
    limits: Limits
    house: str
    worker: str
    gpu: str | None = None
    turns: Path | None = None
    canary: Path | None = None

    def job(self, hold: "Hold", track: Track, *, shard: str, keep_log: bool) -> Job:
        """The cell to start for one track of an attempt."""
        name = f"rostrum-{hold.work.attempt_id}-{track}-{shard}-{self.house}"
        return self.cell(name, track, fence=hold.work.fence, keep_log=keep_log)

    def cell(self, name: str, track: Track, *, fence: int, keep_log: bool) -> Job:
        """The cell of this name for one track."""
        limits = self.limits
        return Job(
            name=name,
            fence=fence,
            code=self.code,
            track_file=f"eval_{track}.py",
            limits=limits,
            environment=self.environment,
            keep_log=keep_log,
            gpu=self.gpu,
            deadline_seconds=limits.start + limits.load + limits.total + _SPARE_SECONDS,
            labels={"worker": self.worker},
        )


@dataclass(frozen=True, slots=True)
class Result:
    """How an exam went: a report or an error, and the end of the cell.

    `talks` says whether the agent also answered a chat's first line; None if it was not asked.
    `peak` is the memory that it used at most, in bytes; None if that could not be seen.
    """

    report: Report | None
    error: RostrumError | None
    exit: Exit
    talks: bool | None = None
    peak: int | None = None

    def checked(self) -> Report:
        """The report, or its error raised."""
        if self.error is not None:
            raise self.error
        assert self.report is not None
        return self.report


def cell_limits(limits: Mapping[str, float | int]) -> Limits:
    """The competition's limits, as far as they bound a cell."""
    return Limits(**{one.name: limits[one.name] for one in fields(Limits)})  # type: ignore[arg-type]  # competition.toml's types are checked where it is parsed


def log_text(track: Track, result: Result) -> str:
    """What the team reads of a preflight: how the run ended, then what it printed."""
    ended = result.exit
    facts = [f"eval_{track}.py"]
    if result.error is None:
        facts.append("answered every public example")
    else:
        detail = f" ({result.error.detail})" if result.error.detail else ""
        facts.append(f"{result.error.code}{detail}")
    if ended.code is not None:
        facts.append(f"exit code {ended.code}")
    if ended.signal is not None:
        facts.append(f"ended by signal {ended.signal}")
    if ended.out_of_memory:
        facts.append("out of memory")
    if result.peak is not None:
        facts.append(f"at most {result.peak / 2**20:,.0f} MiB of memory")
    return f"[rostrum] {', '.join(facts)}\n{ended.log}"


def sit(
    watch: Invigilator,
    seat: Seat,
    job: Job,
    track: Track,
    questions: Questions,
    *,
    greet: bool = False,
) -> Result:
    """Ask one track's questions in a fresh cell; the cell is gone on every way out.

    An error of the submission or of ours is in the result; `Stopped` if the exam was ended. With
    `greet` the agent is asked for one reply of a chat after its report is made. A cell that was
    killed from outside without a reason that we know is tried once more; one that vanishes twice
    where a canary of ours lives has crashed.
    """
    with _turn(seat, watch):
        result = _sat(watch, seat, job, track, questions, greet=greet)
        if result.error is not None and (deserves_retry(result.exit) or _is_sound(seat, result)):
            result = _sat(watch, seat, job, track, questions, greet=greet)
            if not result.exit.killed and _is_sound(seat, result):
                result = replace(result, error=SubmissionError("crashed", detail="signal"))
        return result


def _is_sound(seat: Seat, result: Result) -> bool:
    """Whether the machine is, though the cell was lost: then it was not ours to lose."""
    error = result.error
    if error is None or error.code not in canary.DOUBTFUL or seat.canary is None:
        return False
    found = canary.trouble(seat.sandbox, seat.canary, house=seat.house)
    _log.warning("a cell was lost: code=%s canary=%s", error.code, found or "sound")
    return found is None


def _sat(
    watch: Invigilator, seat: Seat, job: Job, track: Track, questions: Questions, *, greet: bool
) -> Result:
    report, raised, talks, peak = None, None, None, None
    watch.unverified += 1
    with seat.sandbox.start(job) as cell:
        try:
            with watch.talking(cell.agent):
                report = _asked(cell.agent, seat, track, questions)
                talks = _talks(cell.agent) if greet else None
        except (SubmissionError, OperatorError) as error:
            raised = error
        finally:
            peak = _peak(cell) if job.keep_log else None
            ended = cell.finish()
            watch.unverified -= ended.gone
            if not ended.gone:
                _log.error("a cell is left: name=%s; end it by hand", job.name)
    judged = judge(raised, ended)
    if judged is not None and job.gpu is not None:
        judged = _devices_fault(job.gpu) or judged
    return Result(report if judged is None else None, judged, ended, talks, peak)


def _turn(seat: Seat, watch: Invigilator) -> AbstractContextManager[None]:
    """While it lasts, no other cell of this machine sees the device, if the seat has one."""
    if seat.gpu is None:
        return nullcontext()
    assert seat.turns is not None
    return turn(seat.gpu, seat.turns, stop=watch.stop)


def _peak(cell: Cell) -> int | None:
    """The memory that the cell has used at most; it must be asked while it stands."""
    try:
        first = cell.first_process()
    except OperatorError:
        return None
    return None if first is None else resident_peak(first)


def _devices_fault(gpu: str) -> OperatorError | None:
    """The loss of the device, if it answers no longer: then the failure was not the agent's."""
    try:
        expect_answer(gpu)
    except OperatorError as error:
        return error
    return None


def _asked(agent: RemoteAgent, seat: Seat, track: Track, questions: Questions) -> Report:
    limits = seat.limits
    agent.load(
        track,
        vocabulary=questions.vocabulary if track == "ppl" else None,
        load_seconds=limits.load,
        batch_seconds=limits.batch,
        bank_seconds=limits.bank,
        total_seconds=limits.total,
    )
    return evaluate(
        agent,
        questions.dialogues,
        track,
        vocabulary=questions.vocabulary if track == "ppl" else None,
        secret=questions.secret,
        data_name=questions.name,
        zero=questions.zero,
        profile=True,
        crowd=questions.crowd,
        sandbox=seat.sandbox.name,
        agent_facts=agent.hello,
    )


def _talks(agent: RemoteAgent) -> bool:
    """Whether the agent answers the first line of a chat with one text."""
    context = Context("chat", turns=(Turn("partner", _GREETING),))
    try:
        return len(agent.respond([context])) == 1
    except SubmissionError:
        return False
