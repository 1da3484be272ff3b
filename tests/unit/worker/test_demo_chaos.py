"""The parts of `rostrum demo --chaos`: what is killed, what is found left, what is shown."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from leaderboard import competition
from leaderboard.db.migrate import create
from worker.demo.chaos import Outlived
from worker.demo.shell import CommandFailedError, Shell
from worker.demo.show import Show
from worker.demo.traces import traces
from worker.place import Place

TOML = """
schema = 1
[competition]
id = "toy"
title = "Toys"
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[tracks.hits]
[tracks.f1]
[tracks.ppl]
"""

HELD = {"name": "end", "promise": "it ends", "broken": 0}
BROKEN = {"name": "lease", "promise": "it is free", "broken": 2}


def test_a_killed_command_is_gone_and_not_missed(tmp_path: Path) -> None:
    with Shell({**os.environ, "ROSTRUM_HOME": str(tmp_path)}, tmp_path) as shell:
        shell.start("site", "--help")
        shell.kill("site")
        shell.expect_alive()


def test_an_answer_of_no_is_a_document_where_it_may_be(tmp_path: Path) -> None:
    variables = {**os.environ, "ROSTRUM_HOME": str(tmp_path / "home")}
    with Shell(variables, tmp_path) as shell:
        with pytest.raises(CommandFailedError):
            shell.json("admin", "verify")
        with pytest.raises(CommandFailedError):  # no database is a mistake, not an answer
            shell.json("admin", "verify", may_fail=True)
        shell.run("admin", "init")
        assert shell.json("admin", "verify", may_fail=True)["submissions"] == 0


def test_only_an_invariant_that_held_and_nothing_left_is_good() -> None:
    assert Outlived({"scored": 1}, [HELD], ()).good
    assert not Outlived({"scored": 1}, [HELD, BROKEN], ()).good
    assert not Outlived({"scored": 1}, [HELD], ("container x",)).good


def test_each_invariant_is_shown_with_what_became_of_it() -> None:
    said = io.StringIO()
    Show(Console(file=said, width=80)).invariants([HELD, BROKEN])
    lines = said.getvalue().splitlines()
    assert [line.split() for line in lines if "it ends" in line] == [["end", "it", "ends", "held"]]
    assert any("2 broken" in line for line in lines)


def test_the_folder_of_a_cell_is_a_trace_of_its_own_competition_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_SANDBOX_DIR", str(tmp_path / "sandbox"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr("worker.demo.traces.house", lambda *_, **__: "0a1b2c3d")
    db = create(f"sqlite:///{tmp_path / 'rostrum.db'}")
    competition.load(db, TOML)
    place = Place.open(tmp_path / "sandbox")
    place.new_cell("rostrum-1-f1-0-99999999", seconds=60)
    assert traces(db, "toy") == ()
    mine = place.new_cell("rostrum-1-f1-0-0a1b2c3d", seconds=60)
    assert traces(db, "toy") == (mine.name,)
    db.close()
