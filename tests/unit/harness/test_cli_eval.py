"""`rostrum eval` as a person runs it: a folder's own file, with every option passed on."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli import scoring
from harness.cli.eval import evaluate
from harness.cli.main import commands
from harness.errors import UsageError

TELLS = """
import pathlib, sys, agent
pathlib.Path(sys.argv[0]).with_name("told").write_text("\\n".join([agent.NAME, *sys.argv[1:]]))
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission whose file tells what it was started with."""
    (tmp_path / "agent.py").write_text("NAME = 'mine'\n", encoding="utf-8")
    (tmp_path / "eval_f1.py").write_text(TELLS, encoding="utf-8")
    return tmp_path


def told(folder: Path, *arguments: str) -> list[str]:
    result = CliRunner().invoke(evaluate, [str(folder), "--track", "f1", *arguments])
    assert result.exit_code == 7, result.output
    return (folder / "told").read_text("utf-8").split("\n")


def test_it_runs_the_folders_own_file_with_its_neighbours(folder: Path) -> None:
    assert told(folder) == ["mine"]
    assert told(folder, "--limit", "3", "--json", "a b") == [
        "mine",
        "--limit",
        "3",
        "--json",
        "a b",
    ]


def test_every_option_is_passed_on_as_it_was_given(folder: Path) -> None:
    values = {
        "--data": "convai2:valid_none_original",
        "--split": "test",
        "--variant": "both_revised",
        "--limit": "7",
        "--batch-size": "9",
        "--batch-tokens": "100",
        "--dictionary": "words.tsv",
        "--skip-bad": "2",
        "--resume": "run.journal",
        "--json": "-",
    }
    flags = {"--no-profile", "--no-examples"}
    arguments = [text for pair in values.items() for text in pair] + sorted(flags)
    name, *passed = told(folder, *arguments)
    assert name == "mine"
    assert {passed[passed.index(name) + 1] for name in values} == set(values.values())
    assert flags <= set(passed)
    assert len(passed) == len(arguments)
    known = {
        option.opts[0]
        for option in scoring.options(click.Command("x")).params
        if isinstance(option, click.Option)
    }
    assert known == values.keys() | {"--profile", "--examples"}  # a new option belongs in here


def test_ended_by_a_signal_it_has_failed(tmp_path: Path) -> None:
    (tmp_path / "eval_f1.py").write_text("import os\nos.kill(os.getpid(), 9)\n", encoding="utf-8")
    assert CliRunner().invoke(evaluate, [str(tmp_path), "--track", "f1"]).exit_code == 1


def test_it_names_the_tracks_that_a_folder_enters(tmp_path: Path) -> None:
    (tmp_path / "eval_hits.py").touch()
    with pytest.raises(UsageError, match=r"has no eval_ppl\.py; it enters: hits"):
        CliRunner().invoke(evaluate, [str(tmp_path), "--track", "ppl"], catch_exceptions=False)
    with pytest.raises(UsageError, match="is not a folder"):
        CliRunner().invoke(
            evaluate, [str(tmp_path / "x"), "--track", "ppl"], catch_exceptions=False
        )


def test_it_stands_among_the_commands() -> None:
    assert "eval" in {row.name for row in commands()}
