"""Workers and the order of work with real processes: drained, fair to teams, failed by hand."""

import time

import pytest
from stage import Stage, good

from leaderboard import ledger
from leaderboard.states import State

pytestmark = pytest.mark.bubblewrap

ENDLESS = """\
import time

class Agent:
    def respond(self, contexts):
        # the preflight has two dialogues, the hidden set six
        time.sleep(3600 if len(contexts) > 2 else 0)
        return ["hello" for _ in contexts]
"""


@pytest.fixture
def stage(stages: object) -> Stage:
    """One installation whose runs may take for ever, in the sandbox that starts soonest."""
    made: Stage = stages("bubblewrap")  # type: ignore[operator]  # the fixture's own type
    toml = made.base / "competition.toml"
    text = toml.read_text("utf-8")
    for limit in ("batch = 5.0", "total = 60.0"):
        assert limit in text
        text = text.replace(limit, f"{limit.partition(' ')[0]} = 3600.0")
    toml.write_text(text, "utf-8")
    made.rostrum("admin", "competition", "load", str(toml))
    return made


def workers(stage: Stage) -> dict[str, dict[str, object]]:
    """The workers as an organizer sees them, by name."""
    found = stage.rostrum_json("admin", "workers", "list")["workers"]
    return {row["name"]: row for row in found}


def test_a_worker_that_is_lost_twice_is_drained_until_it_is_resumed(stage: Stage) -> None:
    attempt = stage.submit(stage.team("endless", good("f1", agent=ENDLESS)))
    stage.start("beat")
    for losses in (1, 2):
        bad = stage.start("worker", "--name", "bad")
        stage.wait(attempt, State.RUNNING)
        assert workers(stage)["bad"]["attempts"] == [attempt]
        stage.kill(bad)
        stage.wait(attempt, State.QUEUED)
        assert workers(stage)["bad"]["losses"] == losses
    assert workers(stage)["bad"]["state"] == "drained, silent"
    stage.start("worker", "--name", "bad")
    time.sleep(3)  # a sweep with its hints, and nothing is taken
    assert stage.state(attempt) is State.QUEUED
    assert workers(stage)["bad"]["state"] == "drained"
    stage.rostrum("admin", "workers", "resume", "bad")
    stage.wait(attempt, State.RUNNING)
    assert "canary_sound" in [moment.code for moment in ledger.timeline(stage.db, attempt)]


def test_a_preflight_never_waits_behind_a_scored_run_and_fail_ends_the_cell(stage: Stage) -> None:
    running = stage.submit(stage.team("endless", good("f1", agent=ENDLESS)))
    stage.start("beat")
    stage.start("worker")
    stage.wait(running, State.RUNNING)
    quick = stage.submit(stage.team("quick", good("f1")))
    assert stage.wait(quick, State.QUEUED) is State.QUEUED
    assert stage.state(running) is State.RUNNING
    done = stage.rostrum_json(
        "admin", "submissions", "fail", str(running), "--code", "engine_down", "--reason", "a flood"
    )
    assert (done["state"], done["verified"]) == ("failed", True)
    assert stage.quota(running) == ["reserve", "charge", "refund"]
    assert stage.wait(quick, State.SCORED, State.FAILED) is State.SCORED
    assert [moment.code for moment in ledger.timeline(stage.db, running)][-1] == "sandbox_gone"
