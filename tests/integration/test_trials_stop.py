"""`rostrum baselines` as it is used: stopped in the middle of a training, and taken up again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROSTRUM = [str(Path(sys.executable).with_name("rostrum"))]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated sample: small, and not learned by heart in a moment."""
    folder = tmp_path_factory.mktemp("sample")
    subprocess.run([*ROSTRUM, "data", "sample", "--out", str(folder / "data")], check=True)
    return folder / "data"


def stopped(data: Path, out: Path, *, number: signal.Signals, part: int) -> str:
    """Begin, or go on, and stop once that part of the training has stored what it goes on from."""
    command = [*ROSTRUM, "baselines", "--data", str(data), "--out", str(out), "--threads", "1"]
    command += ["--only", "ranker-bow", "--updates", "100000"]
    # a shell's `&` would make SIGINT ignored, and so would some runners
    command = ["env", "--default-signal=INT,TERM", *command]
    row = out / "ranker-bow"
    before = last(row)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (
            len(parts(row)) < part or last(row) in (None, before)
        ):
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"the same command goes on from {out}" in said
    assert "Traceback" not in said
    return said


def parts(row: Path) -> list[float | None]:
    note = row / "training.json"
    return json.loads(note.read_text())["parts"] if note.exists() else []


def last(row: Path) -> int | None:
    """When the training last stored what it goes on from."""
    place = row / "checkpoint.training" / "last" / "config.json"
    return place.stat().st_mtime_ns if place.exists() else None


def test_a_stopped_table_goes_on_with_the_training_that_it_was_at(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    stopped(data, out, number=signal.SIGINT, part=1)
    stopped(data, out, number=signal.SIGTERM, part=2)

    times = parts(out / "ranker-bow")
    assert len(times) == 2
    assert all(seconds is not None and seconds > 0 for seconds in times)
    assert not (out / "table.md").exists()
    assert not (out / "ranker-bow" / "checkpoint").exists()
