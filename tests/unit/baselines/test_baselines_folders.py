"""A baseline is a submission folder: own files and few libraries, and the commands that make it."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from toyset import module_of, toy

from baselines.commands import FOLDERS, folder, new, start, train
from harness.agent import VERBS
from harness.errors import UsageError

Trained = Callable[[str], Path]
LIBRARIES = {"harness", "numpy", "torch", "safetensors"}
AGENTS = {
    "ranker": "RankerAgent",
    "kvmemnn": "MemoryAgent",
    "seq2seq": "Seq2SeqAgent",
    "constant-words": "ConstantAgent",
    "word-frequency": "FrequencyAgent",
}


def imported(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_imports_its_own_files_and_few_libraries(name: str) -> None:
    files = list(folder(name).glob("*.py"))
    allowed = LIBRARIES | {path.stem for path in files} | sys.stdlib_module_names
    assert len(files) > 2
    for path in files:
        assert imported(path) <= allowed, path


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_enters_the_tracks_whose_verbs_its_agent_has(name: str) -> None:
    agent = getattr(module_of(name, "agent"), AGENTS[name])
    entered = {path.stem for path in folder(name).glob("eval_*.py")}
    assert entered == {f"eval_{track}" for track, verb in VERBS.items() if hasattr(agent, verb)}
    assert (folder(name) / "interactive.py").is_file() == hasattr(agent, "respond")
    assert tomllib.loads((folder(name) / "rostrum.toml").read_text())["name"] == name
    assert (folder(name) / "README.md").is_file()


@pytest.mark.parametrize("name", ["constant-words", "word-frequency"])
def test_a_sanity_entry_starts_without_torch(name: str) -> None:
    code = "import agent, sys; assert 'torch' not in sys.modules and 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-B", "-c", code], cwd=folder(name), check=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_missing_checkpoint_is_one_sentence_with_the_command(name: str, tmp_path: Path) -> None:
    agent = getattr(module_of(name, "agent"), AGENTS[name])
    with pytest.raises(UsageError, match=f"rostrum train {name} --data DIR --out {tmp_path}"):
        agent(tmp_path)


def test_the_same_seed_gives_the_same_weights(trained: Trained, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    from harness.data import fbdialog

    fbdialog.write(data / "train_self_original.txt", toy())
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        options = ["--data", str(data), "--out", str(tmp_path / out), "--seed", str(seed)]
        result = CliRunner().invoke(train, ["seq2seq", *options, "--steps", "5"])
        assert result.exit_code == 0, result.output
    a, b, c = ((tmp_path / out / "model.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_training_without_data_says_which_file(tmp_path: Path) -> None:
    command = ["train.py", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-B", *command],
        cwd=folder("constant-words"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("train: ")
    assert "train_self_original.txt does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    failed = CliRunner().invoke(
        train, ["constant-words", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    )
    assert failed.exception is not None
    assert failed.exception.exit_code == 2  # type: ignore[attr-defined]  # an error of ours


def test_new_makes_a_folder_that_scores_by_hand(
    trained: Trained, toy_data: Path, tmp_path: Path
) -> None:
    entry = tmp_path / "entry"
    arguments = [str(entry), "--like", "ranker", "--checkpoint", str(trained("ranker"))]
    result = CliRunner().invoke(new, arguments)
    assert result.exit_code == 0, result.output

    report = tmp_path / "report.json"
    data = toy_data / "valid_self_original.txt"
    subprocess.run(
        [sys.executable, "-B", "eval_hits.py", "--data", str(data), "--json", str(report)],
        cwd=entry,
        check=True,
        capture_output=True,
    )

    assert json.loads(report.read_text())["score"]["value"] >= 0.95
    assert not list(entry.rglob("__pycache__"))


def test_new_without_a_checkpoint_says_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(new, [str(tmp_path / "entry"), "--like", "seq2seq"])
    assert f"rostrum train seq2seq --data DIR --out {tmp_path}/entry/checkpoint" in result.output


def test_new_refuses_a_full_folder_and_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not an empty folder"):
        start(tmp_path / "mine", name="ranker")
    with pytest.raises(UsageError, match="is not a checkpoint"):
        start(tmp_path / "fresh", name="ranker", checkpoint=tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
