"""One track of one attempt in one fresh cell: started, asked, ended, its end judged."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.agent import Track
from harness.dialogue import Context, Dialogue, Turn
from harness.errors import OperatorError, RostrumError, SubmissionError
from harness.evaluation import evaluate
from harness.metrics.lineups import Crowd
from harness.remote.client import RemoteAgent
from harness.report import Report
from harness.text import Vocabulary
from worker.blame import deserves_retry, judge
from worker.hold import Hold
from worker.sandbox import Exit, Job, Limits, Sandbox

_SPARE_SECONDS = 60.0
"""What a cell may outlive its own limits by, before the reaper takes it."""

_log = logging.getLogger(__name__)

_GREETING = "hello , how are you today ?"


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked and how it is scored: the data, its name outside, the key of what is shown.

    `crowd`: whom replies tell a persona from, that of the whole set where the dialogues are a part.
    """

    dialogues: Sequence[Dialogue]
    vocabulary: Vocabulary
    zero: str
    secret: bytes
    name: str
    crowd: Crowd | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """Where an attempt sits its exams: the tree, its packages, the limits, the sandbox.

    `house` tells the cells of one installation from those of another on the same machine, whose
    attempts bear the same numbers.
    """

    sandbox: Sandbox
    code: Path
    environment: Path | None
    limits: Limits
    house: str
    worker: str

    def job(self, hold: Hold, track: Track, *, shard: str, keep_log: bool) -> Job:
        """The cell to start for one track."""
        limits = self.limits
        return Job(
            name=f"rostrum-{hold.work.attempt_id}-{track}-{shard}-{self.house}",
            fence=hold.work.fence,
            code=self.code,
            track_file=f"eval_{track}.py",
            limits=limits,
            environment=self.environment,
            keep_log=keep_log,
            deadline_seconds=limits.start + limits.load + limits.total + _SPARE_SECONDS,
            labels={"worker": self.worker},
        )


@dataclass(frozen=True, slots=True)
class Result:
    """How an exam went: a report or an error, and the end of the cell.

    `talks` says whether the agent also answered a chat's first line; None if it was not asked.
    """

    report: Report | None
    error: RostrumError | None
    exit: Exit
    talks: bool | None = None

    def checked(self) -> Report:
        """The report, or its error raised."""
        if self.error is not None:
            raise self.error
        assert self.report is not None
        return self.report


def sit(
    hold: Hold, seat: Seat, job: Job, track: Track, questions: Questions, *, greet: bool = False
) -> Result:
    """Ask one track's questions in a fresh cell; the cell is gone on every way out.

    An error of the submission or of ours is in the result; `Stopped` if the hold was ended. With
    `greet` the agent is asked for one reply of a chat after its report is made. A cell that was
    killed from outside without a reason that we know is tried once more.
    """
    result = _sat(hold, seat, job, track, questions, greet=greet)
    if result.error is not None and deserves_retry(result.exit):
        result = _sat(hold, seat, job, track, questions, greet=greet)
    return result


def _sat(
    hold: Hold, seat: Seat, job: Job, track: Track, questions: Questions, *, greet: bool
) -> Result:
    report, raised, talks = None, None, None
    hold.unverified += 1
    with seat.sandbox.start(job) as cell:
        try:
            with hold.talking(cell.agent):
                report = _asked(cell.agent, seat, track, questions)
                talks = _talks(cell.agent) if greet else None
        except (SubmissionError, OperatorError) as error:
            raised = error
        finally:
            ended = cell.finish()
            hold.unverified -= ended.gone
            if not ended.gone:
                _log.error("a cell is left: name=%s; end it by hand", job.name)
    judged = judge(raised, ended)
    return Result(report if judged is None else None, judged, ended, talks)


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
