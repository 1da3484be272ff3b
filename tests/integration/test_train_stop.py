"""`rostrum train` as it is used: stopped in the middle, taken up again, a folder to submit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.torch.workplace import beside

ROSTRUM = [str(Path(sys.executable).with_name("rostrum"))]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated sample: small, and not learned by heart in a moment."""
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run([*ROSTRUM, "data", "sample", "--out", str(folder / "data")], check=True)
    return folder / "data"


def started(data: Path, out: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [*ROSTRUM, "train", "ranker", "--data", str(data), "--out", str(out)]
    # a shell's `&` would make SIGINT ignored, and so would some runners
    stopped = ["env", "--default-signal=INT,TERM", *command, "--threads", "1", *arguments]
    return subprocess.Popen(stopped, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_reaches_the_training_and_the_same_command_goes_on(
    number: signal.Signals, data: Path, tmp_path: Path
) -> None:
    out, endless = tmp_path / "out", ("--updates", "100000", "--set", "training.schedule=constant")
    with started(data, out, *endless) as process:
        deadline = time.monotonic() + 120
        while not (beside(out) / "last").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    assert not out.exists()

    with started(data, out, "--updates", "1", "--set", "training.schedule=constant") as process:
        printed, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "the checkpoint is in" in printed


def test_new_leaves_what_is_not_of_the_submission_out_of_git(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    subprocess.run([*ROSTRUM, "new", str(folder), "--like", "constant-words"], check=True)
    (folder / "checkpoint.training").mkdir()
    (folder / "checkpoint.training" / "log").write_text("curves")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)

    shown = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=folder, check=True, capture_output=True
    )

    assert b"agent.py" in shown.stdout
    assert b"training" not in shown.stdout
