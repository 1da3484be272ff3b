"""Each baseline, as `rostrum new` copies it out, scores the same in a container and by hand.

It is trained for a few updates only: what it has learned is no matter here.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from byhand import environment
from click.testing import CliRunner

from baselines.commands import FOLDERS, new, train
from harness.agent import TRACKS, Track
from harness.data import sample
from harness.report import Report
from harness.text import Vocabulary
from worker.entry import entered

pytestmark = pytest.mark.docker

SANITY = ("tfidf-retrieval", "repeat-partner", "random-reply", "constant-words", "word-frequency")
TEST = "test_self_original.txt"


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


@pytest.fixture(scope="module")
def limits(data: Path) -> Path:
    """One processor, so that sums have the order that they have by hand."""
    file = data / "competition.toml"
    file.write_text(
        'schema = 1\n[competition]\nid = "c"\ntitle = "Small"\n[[phase]]\nname = "only"\n'
        "opens = 2020-01-01T00:00:00Z\ncloses = 2100-01-01T00:00:00Z\n[limits]\ncpus = 1.0\n"
    )
    return file


def checked(folder: Path, data: Path, limits: Path) -> dict[str, Any]:
    """What `rostrum check` finds in a container: its steps by their names."""
    files = ["--data", str(data / TEST), "--dictionary", str(data / "dictionary.tsv")]
    command = [str(Path(sys.executable).with_name("rostrum")), "check", str(folder)]
    done = subprocess.run(
        [*command, "--sandbox", "docker", "--limits", str(limits), *files, "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {step["name"]: step for step in json.loads(done.stdout)["check"]["steps"]}


@pytest.mark.parametrize("name", FOLDERS)
def test_it_scores_the_same_in_a_container_and_by_hand(
    name: str, submission: Callable[[str], Path], data: Path, limits: Path
) -> None:
    folder = submission(name)
    tracks = entered(folder, offered=TRACKS)
    assert tracks
    steps = checked(folder, data, limits)
    for track in tracks:
        here, there = by_hand(folder, track, data), steps[track]["score"]
        assert there["signature"] == here.signature
        assert there["n"] == here.score.n > 30
        if track == "ppl":
            assert there["value"] == pytest.approx(here.score.value, rel=1e-5)
        else:
            assert there["totals"] == [[total.value, total.weight] for total in here.totals]
        if steps[track]["can_chat"] is not False:  # else the log says why it cannot
            assert not steps[track]["log"]
    if (folder / "interactive.py").is_file():
        assert any(steps[track]["can_chat"] for track in tracks)
