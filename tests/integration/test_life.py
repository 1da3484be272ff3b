"""The life of an attempt with real processes: accepted, killed, frozen, doubled, cancelled."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from stage import EVAL, Stage, good

from leaderboard import hints, ledger
from leaderboard.states import Queue, State

SLOW = """\
import time

class Agent:
    def respond(self, contexts):
        time.sleep(0.7)
        return ["hello" for _ in contexts]
"""

ENDLESS = """\
import time

class Agent:
    def respond(self, contexts):
        # the preflight has two dialogues, the hidden set six
        time.sleep(3600 if len(contexts) > 2 else 0)
        return ["hello" for _ in contexts]
"""


def cells(stage: Stage) -> list[str]:
    """Processes that see one of this test's trees, and containers of this installation."""
    keys = [sha256(str(repo).encode()).hexdigest()[:16] for repo in stage.base.glob("repos/*")]
    mine = []
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            text = mounts.read_text()
            mine += [mounts.parent.name for key in keys if key in text]
    if stage.sandbox == "docker":
        listed = subprocess.run(
            ["docker", "ps", "--all", "--quiet", "--filter", f"name={stage.house}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        mine += listed.stdout.split()
    return mine


def running_since(stage: Stage, attempt: int) -> None:
    """Wait until the hidden run has its cell."""
    stage.wait(attempt, State.RUNNING)
    time.sleep(1.5)
    assert stage.state(attempt) is State.RUNNING
    assert cells(stage)


def visits(stage: Stage, attempt: int, state: State) -> int:
    """How often the attempt came into a state."""
    timeline = ledger.timeline(stage.db, attempt)
    return sum(moment.target is state and moment.source is not None for moment in timeline)


def test_an_accepted_submission_is_scored_and_charged_once(stage: Stage) -> None:
    attempt = stage.submit(stage.team("good", good("hits", "f1")))
    stage.start("beat")
    stage.start("worker")
    assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    shown = stage.shown(attempt)
    assert set(shown["scores"]) == {"hits", "f1"}
    assert {score["sandbox"] for score in shown["scores"].values()} == {stage.sandbox}
    assert shown["can_chat"] is True
    assert len(shown["commit"]) == 40
    assert stage.quota(attempt) == ["reserve", "charge"]


def test_a_killed_worker_costs_time_and_nothing_else(stage: Stage) -> None:
    attempt = stage.submit(stage.team("slow", good("f1", agent=SLOW)))
    stage.start("beat")
    first = stage.start("worker")
    running_since(stage, attempt)
    stage.kill(first)
    stage.start("worker")
    assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    assert visits(stage, attempt, State.RUNNING) == 2
    assert stage.shown(attempt)["losses"] == 1
    assert stage.quota(attempt) == ["reserve", "charge"]
    assert cells(stage) == []


def test_a_frozen_worker_that_wakes_up_writes_nothing(stage: Stage) -> None:
    attempt = stage.submit(stage.team("slow", good("f1", agent=SLOW)))
    stage.start("beat")
    first = stage.start("worker")
    running_since(stage, attempt)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        stage.start("worker")
        assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    finally:
        os.kill(first.pid, signal.SIGCONT)
    before = ledger.timeline(stage.db, attempt)
    time.sleep(3)
    assert ledger.timeline(stage.db, attempt) == before
    assert stage.quota(attempt) == ["reserve", "charge"]
    assert cells(stage) == []


@pytest.mark.filterwarnings("ignore:The ``noload``")  # of kombu's tables, under SQLAlchemy 2.1
def test_a_hint_that_comes_ten_times_is_one_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_HOME", stage.variables["ROSTRUM_HOME"])
    attempt = stage.submit(stage.team("good", good("f1")))
    stage.start("worker", "--concurrency", "4")
    stage.start("worker", "--concurrency", "4")
    for _ in range(10):
        assert hints.send(Queue.PREFLIGHT, attempt)
    stage.wait(attempt, State.QUEUED, State.RUNNING, State.SCORED)
    for _ in range(10):
        assert hints.send(Queue.EVALUATE, attempt)
    assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    time.sleep(2)
    assert visits(stage, attempt, State.FETCHING) == 1
    assert visits(stage, attempt, State.RUNNING) == 1
    assert stage.quota(attempt) == ["reserve", "charge"]


def test_a_cancel_ends_the_cell_and_the_attempt(stage: Stage) -> None:
    attempt = stage.submit(stage.team("endless", good("f1", agent=ENDLESS)))
    stage.start("beat")
    stage.start("worker")
    running_since(stage, attempt)
    ledger.cancel(stage.db, attempt, reason="asked by the team")
    assert stage.wait(attempt, State.CANCELLED, State.FAILED, seconds=10) is State.CANCELLED
    assert cells(stage) == []
    assert stage.shown(attempt)["verdict"] is None


def test_a_worker_that_is_told_to_end_leaves_no_cell_and_the_attempt_goes_on(
    stage: Stage,
) -> None:
    attempt = stage.submit(stage.team("slow", good("f1", agent=SLOW)))
    stage.start("beat")
    first = stage.start("worker")
    running_since(stage, attempt)
    begin = time.monotonic()
    first.terminate()
    assert first.wait(timeout=20) == 0
    assert time.monotonic() - begin < 15
    assert cells(stage) == []
    assert stage.state(attempt) is State.QUEUED
    stage.start("worker")
    assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    shown = stage.shown(attempt)
    assert (shown["losses"], shown["retries"]) == (0, 0)


def test_an_engine_that_is_away_is_our_fault_and_gives_the_place_back(
    stages: Callable[[str], Stage], tmp_path: Path
) -> None:
    stage = stages("docker")
    stage.variables["DOCKER_HOST"] = f"unix://{tmp_path}/nobody-listens.sock"
    try:
        attempt = stage.submit(stage.team("good", good("f1")))
        stage.start("beat")
        stage.start("worker")
        assert stage.wait(attempt, State.FAILED, State.SCORED) is State.FAILED
        shown = stage.shown(attempt)
        assert shown["verdict"]["code"] == "engine_down"
        assert shown["verdict"]["fault"] == "platform"
        assert shown["retries"] == 3
        assert stage.quota(attempt) == ["reserve", "release"]
    finally:
        stage.close()


def test_the_track_files_that_call_another_track_are_told_so(stage: Stage) -> None:
    files = good("f1") | {"eval_hits.py": EVAL.format(track="f1")}
    attempt = stage.submit(stage.team("mixed", files))
    stage.start("beat")
    stage.start("worker")
    assert stage.wait(attempt, State.FAILED, State.SCORED) is State.FAILED
    assert stage.shown(attempt)["verdict"]["code"] == "crashed"
