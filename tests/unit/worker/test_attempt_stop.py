"""A cancel reaches the cell, and the timeline says whether the cell is verified to be gone."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import pytest

from harness.errors import OperatorError, SubmissionError
from harness.text import Vocabulary
from leaderboard import competition, endings, ledger, teams
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create
from leaderboard.states import State
from worker import attempt
from worker.exam import Questions, Seat, sit
from worker.hold import Hold
from worker.sandbox import Exit, Job, Limits
from worker.settings import Settings
from worker.workplace import Benches, Workplace

TOML = """
schema = 1
[competition]
id = "c"
title = "A competition"
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[tracks.f1]
"""


class Silent:
    """An agent that loads until it is interrupted."""

    hello: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.loading = Event()
        self.interrupted = Event()

    def load(self, *_: object, **__: object) -> None:
        self.loading.set()
        assert self.interrupted.wait(10)
        raise SubmissionError("early_exit")

    def interrupt(self) -> None:
        self.interrupted.set()


class FakeCell:
    """A cell with a silent agent, that ends as it is told to."""

    def __init__(self, exit_: Exit) -> None:
        self.agent: Any = Silent()
        self._exit = exit_

    def finish(self) -> Exit:
        return self._exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


class FakeSandbox:
    """Hands out one cell, or none: then the start fails with an engine that is away."""

    name = "docker"

    def __init__(self, cell: FakeCell | None) -> None:
        self.cell = cell
        self.asked = Event()

    def check(self) -> None:
        return

    def start(self, job: Job) -> FakeCell:
        self.asked.set()
        if self.cell is None:
            time.sleep(0.5)  # the stop comes meanwhile
            raise OperatorError("engine_down")
        return self.cell

    def reap(self, **_: object) -> int:
        return 0


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """A worker's place over a database with one accepted submission, attempt 1."""
    db: Database = create(f"sqlite:///{tmp_path / 'rostrum.db'}")
    competition.load(db, TOML)
    added = teams.add(db, "c", name="owls", repo_url="/r", branch="main", baseline=False)
    ledger.accept(db, team_id=added.team.id, ref="main")
    settings = Settings(tmp_path / "sandbox", tmp_path / "cache", heartbeat_seconds=0.05)
    return Workplace(db, settings, "w1", Benches(settings))


def exam_in(sandbox: FakeSandbox) -> Callable[[Workplace, Hold], None]:
    """A way of an attempt that is one exam in this sandbox."""

    def way(workplace: Workplace, hold: Hold) -> None:
        seat = Seat(
            sandbox=sandbox,
            code=Path("/code"),
            environment=None,
            limits=Limits(),
            house="0" * 8,
            worker=workplace.name,
        )
        job = seat.job(hold, "f1", shard="preflight", keep_log=False)
        questions = Questions((), Vocabulary.build((), ()), "infinite", b"k", "n" * 64)
        sit(hold, seat, job, "f1", questions).checked()

    return way


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (FakeCell(Exit(removed=True, gone=True)), endings.SANDBOX_GONE),
        (FakeCell(Exit(removed=True, gone=False)), endings.SANDBOX_LEFT),
        (None, endings.SANDBOX_LEFT),
    ],
    ids=["gone", "left", "start failed half-way"],
)
def test_a_cancel_ends_the_cell_and_says_what_was_verified(
    workplace: Workplace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cell: FakeCell | None,
    code: str,
) -> None:
    sandbox = FakeSandbox(cell)
    monkeypatch.setitem(attempt.WAYS, State.FETCHING, exam_in(sandbox))
    worker = Thread(target=attempt.attend, args=(workplace, 1))
    worker.start()
    assert sandbox.asked.wait(10)
    assert ledger.cancel(workplace.db, 1, reason="too loud") is State.FETCHING
    worker.join(timeout=20)
    last = ledger.timeline(workplace.db, 1)[-1]
    assert (last.source, last.target, last.code) == (State.FETCHING, State.CANCELLED, code)
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert bool(errors) is (code == endings.SANDBOX_LEFT)
    workplace.db.close()


def test_a_stop_between_two_steps_is_a_cancel_with_nothing_left(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def way(workplace: Workplace, hold: Hold) -> None:
        ledger.cancel(workplace.db, hold.work.attempt_id, reason="in the last instant")
        hold.advance(State.BUILDING, commit="c" * 40, tracks=("f1",))

    monkeypatch.setitem(attempt.WAYS, State.FETCHING, way)
    assert attempt.attend(workplace, 1)
    last = ledger.timeline(workplace.db, 1)[-1]
    assert (last.source, last.target) == (State.FETCHING, State.CANCELLED)
    assert last.code == endings.SANDBOX_GONE
    workplace.db.close()
