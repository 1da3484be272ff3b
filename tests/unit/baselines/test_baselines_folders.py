"""A baseline is a submission folder: own files and few libraries, and the commands that make it."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from toyset import SANITY, agent_type

from baselines.commands import FOLDERS, folder, new, start, train
from harness.agent import VERBS
from harness.errors import UsageError

Trained = Callable[[str], Path]
LIBRARIES = {"harness", "numpy", "torch", "safetensors"}


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
    if name in SANITY:
        allowed -= {"torch", "safetensors"}
    assert len(files) > 2
    for path in files:
        assert imported(path) <= allowed, path


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_enters_the_tracks_whose_verbs_its_agent_has(name: str) -> None:
    agent = agent_type(name)
    entered = {path.stem for path in folder(name).glob("eval_*.py")}
    assert entered == {f"eval_{track}" for track, verb in VERBS.items() if hasattr(agent, verb)}
    assert (folder(name) / "interactive.py").is_file() == hasattr(agent, "respond")
    assert tomllib.loads((folder(name) / "rostrum.toml").read_text())["name"] == name


@pytest.mark.parametrize("name", FOLDERS)
def test_a_readme_says_how_to_train_and_what_came_of_it(name: str) -> None:
    text = (folder(name) / "README.md").read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    assert f"rostrum train {name} " in text
    assert re.search(r"^\|(-+\|)+$", text, flags=re.M), "no table of results"


@pytest.mark.parametrize("name", SANITY)
def test_a_sanity_entry_starts_and_is_made_without_torch(name: str) -> None:
    code = "import sys, agent, train; print(*{'torch', 'rich'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=folder(name), check=True, capture_output=True
    )
    assert done.stdout == b"\n"


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


def test_a_failed_training_hands_its_exit_status_on(tmp_path: Path) -> None:
    data, out = str(tmp_path), str(tmp_path / "out")
    failed = CliRunner().invoke(train, ["constant-words", "--data", data, "--out", out])
    assert failed.exception is not None
    assert failed.exception.exit_code == 2  # type: ignore[attr-defined]  # an error of ours
