"""The packages of attempts with real workers: built once, logged for the team, used."""

import os
from collections.abc import Callable
from pathlib import Path

import packageindex
import pytest
from stage import AGENT, Stage, good

from leaderboard import submissions
from leaderboard.states import State


@pytest.mark.bubblewrap
def test_two_teams_use_one_environment_and_a_third_reads_why_it_has_none(
    stages: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = stages("bubblewrap")
    package = f"rostrum_life_{os.getpid()}"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    packageindex.wheel(wheels, package, {f"{package}.py": "N = 1\n"})
    told = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    stage.variables.update(told)
    agent = f"import {package}\n{AGENT}"
    files = good("f1", agent=agent) | {"requirements.txt": f"{package}\n"}
    fine = [stage.submit(stage.team(name, files)) for name in ("red", "green")]
    wrong = good("f1") | {"requirements.txt": "rostrum-no-such-package\n"}
    failing = stage.submit(stage.team("blue", wrong))
    stage.start("beat")
    stage.start("worker", "--concurrency", "2")
    for attempt in fine:
        assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
    assert stage.wait(failing, State.SCORED, State.FAILED) is State.FAILED
    logs = [submissions.preflight_log(stage.db, attempt, "build") or "" for attempt in fine]
    assert all(f"[rostrum] {package}==1.0" in log for log in logs)
    assert logs[0] == logs[1]
    why = submissions.preflight_log(stage.db, failing, "build") or ""
    assert "No matching distribution found" in why
    assert "build_failed (not_found)" in why
    assert stage.shown(failing)["verdict"]["code"] == "build_failed"
