"""`rostrum check` and the doctor in real sandboxes: the server's own verdicts and scores, nothing
left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cells import containers_of, load_agent

from harness.agent import TRACKS
from harness.evaluation import evaluate
from worker.check.data import find
from worker.doctor import cells
from worker.doctor.finding import Level
from worker.settings import from_environment

GALLERY = Path(__file__).resolve().parents[1] / "gallery"
ROSTRUM = str(Path(sys.executable).with_name("rostrum"))
SANDBOXES = [
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("docker", marks=pytest.mark.docker),
]
TIGHT = """
schema = 1
[competition]
id = "c"
title = "Tight"
sandbox = ["docker", "bubblewrap"]
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[limits]
batch = 1.0
bank = 0.1
cpus = 1.0
"""


@pytest.fixture(params=SANDBOXES)
def sandbox(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tight(tmp_path: Path) -> Path:
    file = tmp_path / "competition.toml"
    file.write_text(TIGHT)
    return file


@dataclass
class Checked:
    status: int
    document: dict[str, Any]

    def step(self, name: str) -> dict[str, Any]:
        return next(step for step in self.document["steps"] if step["name"] == name)


def begun(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [ROSTRUM, "check", *words, "--dialogues", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROSTRUM_DATA": "/nonexistent"},
    )


def left_by(process: "subprocess.Popen[str]", sandbox: str) -> list[str]:
    """The copies and containers of a check."""
    mark = f"check-{process.pid}-"
    places = (from_environment().sandbox_directory / "cells").glob(f"*{mark}*")
    found = [place.name for place in places]
    if sandbox == "docker":
        found += [name for name in containers_of("rostrum.worker=check") if mark in name]
    return found


def checked(folder: Path, sandbox: str, *words: str) -> Checked:
    """The end of a check, which has left nothing."""
    with begun(str(folder), "--sandbox", sandbox, "--json", *words) as process:
        out, said = process.communicate(timeout=200)
    assert out, said
    assert not left_by(process, sandbox)
    return Checked(process.returncode, json.loads(out)["check"])


def test_a_good_one_scores_as_in_this_process(sandbox: str) -> None:
    found = checked(GALLERY / "good", sandbox)
    assert (found.status, found.document["ready"], found.document["sandbox"]) == (0, True, sandbox)
    data = find(None, dictionary=None, dialogues=3, needs_words=True)
    for track in TRACKS:
        words = data.vocabulary if track == "ppl" else None
        here = evaluate(load_agent(GALLERY / "good"), data.dialogues, track, vocabulary=words)
        score = found.step(track)["score"]
        assert (score["value"], score["n"]) == (here.score.value, here.score.n)
        assert score["signature"] == here.signature
        assert 5 << 20 < found.step(track)["peak_bytes"] < 4 << 30
    assert found.step("f1")["can_chat"] is True


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        ("sleeps-in-verb", "batch_timeout", None),
        ("exit-status", "crashed", "exit"),
        ("not-text", "invalid_prediction", "not_text"),
    ],
)
def test_the_verdict_is_the_servers(
    name: str, code: str, detail: str | None, sandbox: str, tight: Path
) -> None:
    found = checked(GALLERY / name, sandbox, "--limits", str(tight))
    assert found.status == 1
    verdict = found.step("f1")["verdict"]
    assert (verdict["code"], verdict["detail"]) == (code, detail)
    assert verdict["hint"]


def test_an_interrupt_ends_the_cell_and_the_copy(sandbox: str) -> None:
    with begun(str(GALLERY / "sleeps-in-verb"), "--sandbox", sandbox) as process:
        deadline = time.monotonic() + 60
        while len(left_by(process, sandbox)) < 2 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert not left_by(process, sandbox)


def test_the_doctor_starts_a_cell_and_finds_it_closed(sandbox: str) -> None:
    checked(GALLERY / "good", sandbox, "--track", "f1")  # so the runtime is made
    runtime, cell = cells.look(sandbox, from_environment(), gpu=None)
    assert (runtime.level, cell.level) == (Level.OK, Level.OK), cell
    assert "is closed" in cell.text


@pytest.mark.gpu
def test_the_doctor_proves_a_device_inside(sandbox: str) -> None:
    checked(GALLERY / "good", sandbox, "--track", "f1")
    *_, outside, inside = cells.look(sandbox, from_environment(), gpu="0")
    assert outside.level is Level.OK, outside
    assert inside.level is not Level.FAIL, inside
