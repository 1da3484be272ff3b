"""A workplace whose cells are played: agents that say and do what the rater's words ask for."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from harness.dialogue import Context
from harness.errors import OperatorError, SubmissionError
from leaderboard.conversations import Chat, Partner
from leaderboard.ledger import Database
from worker.converse.seat import Seat
from worker.sandbox import Exit, Job, Limits
from worker.settings import Settings
from worker.workplace import Benches, Workplace


class Agent:
    """What a `RemoteAgent` is to a chat, without a process behind it."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.interrupted = Event()
        self.left = False
        self.mute = False
        self.loads = 0

    def load(self, track: str, **_: object) -> None:
        assert track == "f1"
        self.loads += 1

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        (context,) = contexts
        self.contexts.append(context)
        if self.mute:
            raise SubmissionError("batch_timeout")
        match context.turns[-1].text:
            case "wait":
                assert self.interrupted.wait(20), "nobody interrupts the agent"
                raise SubmissionError("early_exit")
            case "leave":
                raise SubmissionError("early_exit")
            case "too much":
                return ["x" * 5000]
        return [f"about {context.turns[-1].text}\x1b[2J"]

    def interrupt(self) -> None:
        self.interrupted.set()

    def hung_up(self) -> bool:
        return self.left


class Cell:
    """One played cell; `end` is what its runner will have seen, after `lingers` seconds."""

    def __init__(self, job: Job, end: Exit) -> None:
        self.agent: Any = Agent()  # Any: a fake of RemoteAgent
        self.job = job
        self.end = end
        self.lingers = 0.0
        self.finished = 0

    def finish(self) -> Exit:
        if not self.finished:
            time.sleep(self.lingers)
        self.finished += 1
        return self.end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()


class Sandbox:
    """Plays cells; `refusal` is raised instead of a start, `end` is how the next cells end."""

    name = "played"

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.refusal: OperatorError | None = None
        self.refused = 0
        self.end = Exit(code=0)

    def check(self) -> None:
        """Nothing is needed."""

    def start(self, job: Job) -> Cell:
        if self.refusal is not None:
            self.refused += 1
            raise self.refusal
        self.cells.append(Cell(job, self.end))
        return self.cells[-1]

    def reap(self, **_: object) -> int:
        return 0

    def seat_of(self, workplace: Workplace, chat: Chat, *, stop: Event) -> Seat:
        """In place of `worker.converse.seat.seat_of`."""
        job = Job(
            name=f"rostrum-chat-{chat.id}-played",
            fence=chat.fence,
            code=Path("/nowhere"),
            track_file="eval_f1.py",
            limits=Limits(),
        )
        return Seat(self, job, "f1", None)

    def spare_of(self, workplace: Workplace, partner: Partner, *, stop: Event) -> Seat:
        """In place of `worker.converse.seat.spare_of`."""
        job = Job(
            name=f"rostrum-spare-{partner.attempt_id}-{len(self.cells)}",
            fence=0,
            code=Path("/nowhere"),
            track_file="eval_f1.py",
            limits=Limits(),
            labels={"spare": str(partner.attempt_id)},
        )
        return Seat(self, job, "f1", None)

    @property
    def ended(self) -> bool:
        """Whether every cell was ended."""
        return all(cell.finished for cell in self.cells)


def workplace(db: Database, folder: Path, **changes: Any) -> Workplace:
    """A worker's surroundings; `changes` are of its settings."""
    settings = Settings(
        sandbox_directory=folder / "sandbox",
        cache_directory=folder / "cache",
        heartbeat_seconds=0.05,
    )
    settings = dataclasses.replace(settings, **changes)
    return Workplace(db, settings, "w1", Benches(settings))


def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)
