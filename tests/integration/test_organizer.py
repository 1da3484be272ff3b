"""What an organizer does to a running submission, with real processes and real sandboxes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stage import Stage, good
from test_life import cells, running_since

from leaderboard.states import State

SLOW = """\
import time

class Agent:
    def respond(self, contexts):
        # the preflight has two dialogues, the hidden set six
        time.sleep(1.0 if len(contexts) > 2 else 0)
        return ["hello" for _ in contexts]
"""


def cancelled(stage: Stage, submission: int) -> tuple[int, Any]:
    """The exit code and the document of `submissions cancel`, as an organizer types it."""
    arguments = ["submissions", "cancel", str(submission), "--reason", "too loud", "--json"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("rostrum")), "admin", *arguments],
        env=stage.variables,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_running_attempt_is_cancelled_run_again_and_then_did_not_move(stage: Stage) -> None:
    first = stage.submit(stage.team("slow", good("f1", agent=SLOW)))
    stage.start("beat")
    stage.start("worker")
    running_since(stage, first)

    code, document = cancelled(stage, first)
    assert (code, document["state"], document["verified"]) == (0, "cancelled", True)
    assert cells(stage) == []
    notes = [moment["note"] for moment in stage.shown(first)["timeline"]]
    assert notes[-1] == "stopped by the worker; the sandbox is verified gone"

    made = stage.rostrum_json("admin", "submissions", "rerun", str(first), "--reason", "again")
    assert stage.wait(made["attempt"], State.SCORED, State.FAILED) is State.SCORED
    assert stage.quota(first) == ["reserve", "charge"]
    assert stage.quota(made["attempt"]) == []

    stage.rostrum("admin", "quota", "grant", "slow", "--reason", "the first was cancelled")
    (team,) = stage.rostrum_json("admin", "round", "run")["teams"]
    assert team["code"] == "submitted"
    stage.wait(made["attempt"] + 1, State.CANCELLED, State.SCORED, State.FAILED)
    (team,) = stage.rostrum_json("admin", "round", "run")["teams"]
    assert (team["code"], team["new"]) == ("unmoved", False)
    assert "is scored as submission 1" in team["reason"]
    assert stage.quota(made["attempt"] + 1) == ["reserve", "release"]
