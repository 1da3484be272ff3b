"""Each baseline, as `rostrum new` copies it out, scores the same in a container and by hand.

It is trained for a few updates only: what it has learned is no matter here.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from byhand import environment
from click.testing import CliRunner

from baselines.commands import FOLDERS, new, train
from harness.agent import TRACKS, Track
from harness.data import load, sample
from harness.dialogue import Context, Turn
from harness.evaluation import evaluate
from harness.report import Report
from harness.text import Vocabulary
from worker.entry import entered
from worker.images import prepare
from worker.sandbox import Job, Limits, Sandbox
from worker.sandbox.choose import open_sandbox

pytestmark = pytest.mark.docker

SANITY = ("tfidf-retrieval", "repeat-partner", "random-reply", "constant-words", "word-frequency")
TEST = "test_self_original.txt"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """The container sandbox, its runtime made of this harness."""
    return open_sandbox("docker", runtime=prepare("docker", print))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set, and its dictionary."""
    folder, made = tmp_path_factory.mktemp("data"), sample.make(7)
    sample.Sample(train=made.train[:40], valid=made.valid[:6], test=made.test[:6]).write(folder)
    Vocabulary.build(made.train[:40], made.valid[:6]).save(folder / "dictionary.tsv")
    return folder


@pytest.fixture
def submission(data: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes the folder of a baseline that has learned a little, by the participant's commands."""

    def make(name: str) -> Path:
        checkpoint, folder = str(tmp_path / "made"), tmp_path / "submission"
        short = () if name in SANITY else ("--updates", "4", "--threads", "1")
        invoke(train, name, "--data", str(data), "--out", checkpoint, *short)
        invoke(new, str(folder), "--like", name, "--checkpoint", checkpoint)
        return folder

    return make


def invoke(command: object, *arguments: str) -> None:
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]  # a click command
    assert result.exit_code == 0, result.output


def by_hand(folder: Path, track: Track, data: Path) -> Report:
    """What `python eval_<track>.py` finds."""
    out = folder.parent / f"{track}.json"
    files = ["--data", str(data / TEST), "--dictionary", str(data / "dictionary.tsv")]
    subprocess.run(
        [sys.executable, "-B", f"eval_{track}.py", *files, "--json", str(out)],
        cwd=folder,
        env=environment(folder.parent) | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=200,
    )
    return Report.load(out)


def inside(sandbox: Sandbox, folder: Path, track: Track, data: Path) -> Report:
    """What an evaluator finds that asks it in a container."""
    limits = Limits(cpus=1.0, memory=2 << 30)
    job = Job(
        name=f"rostrum-baseline-{os.getpid()}-{folder.parent.name}-{track}",
        fence=1,
        code=folder,
        track_file=f"eval_{track}.py",
        limits=limits,
        deadline_seconds=280,
        keep_log=True,
        labels={"test": "baseline"},
    )
    words = Vocabulary.load(data / "dictionary.tsv") if track == "ppl" else None
    with sandbox.start(job) as cell:
        cell.agent.load(
            track,
            vocabulary=words,
            load_seconds=limits.load,
            batch_seconds=limits.batch,
            bank_seconds=limits.bank,
            total_seconds=limits.total,
        )
        report = evaluate(cell.agent, load(data / TEST), track, vocabulary=words)
        if (folder / "interactive.py").is_file():
            (said,) = cell.agent.respond([Context("chat", turns=(Turn("partner", "hello !"),))])
            assert said
        assert not cell.finish().log
    return report


@pytest.mark.parametrize("name", FOLDERS)
def test_it_scores_the_same_in_a_container_and_by_hand(
    name: str, submission: Callable[[str], Path], sandbox: Sandbox, data: Path
) -> None:
    folder = submission(name)
    tracks = entered(folder, offered=TRACKS)
    assert tracks
    for track in tracks:
        here, there = by_hand(folder, track, data), inside(sandbox, folder, track, data)
        assert there.signature == here.signature
        assert there.score.n == here.score.n > 30
        if track == "ppl":
            assert there.score.value == pytest.approx(here.score.value, rel=1e-5)
        else:
            assert there.totals == here.totals
