"""`rostrum data` and `rostrum eval` as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.data import data
from harness.cli.eval import evaluate
from harness.cli.main import commands
from harness.data import fbdialog, jsonl
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import Vocabulary

TALK = Dialogue("1", ("i like tea .",), (), (Example(("hi \x1b[2J",), ("yes ,", "no")),))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    jsonl.write(tmp_path / "talk.jsonl", [TALK])
    return tmp_path / "talk.jsonl"


def test_show_counts_and_prints_with_steering_characters_escaped(file: Path) -> None:
    result = CliRunner().invoke(data, ["show", str(file)])

    assert result.exit_code == 0
    assert "examples    1\nwords       2\n" in result.output
    assert "  partner  hi \\u{1b}[2J\n  self     yes , | no\n" in result.output


def test_show_as_json_holds_counts_and_dialogues(file: Path) -> None:
    result = CliRunner().invoke(data, ["show", str(file), "--json"])

    document = json.loads(result.output)
    assert (document["dialogues"], document["examples"], document["candidates"]) == (1, 1, 0)
    assert document["sha256"] == jsonl.digest([TALK])
    assert document["shown"][0]["persona"] == ["i like tea ."]


def test_show_refuses_a_bad_file_as_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("hello\n", encoding="utf-8")
    command = [sys.executable, "-c", "from harness.cli.main import main; main()"]

    ended = subprocess.run(
        [*command, "data", "show", str(tmp_path / "bad.txt")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "bad.txt:1: a line begins with a number" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sample_writes_three_splits_and_their_dictionary(tmp_path: Path) -> None:
    result = CliRunner().invoke(data, ["sample", "--out", str(tmp_path), "--seed", "2", "--json"])

    splits = json.loads(result.output)["splits"]
    train, valid, test = (
        fbdialog.read(tmp_path / f"{split}_self_original.txt")
        for split in ("train", "valid", "test")
    )
    assert splits["test"]["sha256"] == jsonl.digest(test)
    assert Vocabulary.load(tmp_path / "dictionary.tsv") == Vocabulary.build(train, valid)


def test_eval_runs_the_folders_own_file_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("NAME = 'mine'\n", encoding="utf-8")
    (tmp_path / "eval_f1.py").write_text(
        "import pathlib, sys, agent\n"
        "pathlib.Path(sys.argv[-1]).write_text(agent.NAME + ' '.join(sys.argv[1:-1]))\n"
        "sys.exit(7)\n",
        encoding="utf-8",
    )
    out = tmp_path / "out.json"

    result = CliRunner().invoke(
        evaluate, [str(tmp_path), "--track", "f1", "--limit", "3", "--json", str(out)]
    )

    assert result.exit_code == 7
    assert out.read_text(encoding="utf-8") == "mine--limit 3 --json"


def test_eval_ended_by_a_signal_has_failed(tmp_path: Path) -> None:
    (tmp_path / "eval_f1.py").write_text("import os\nos.kill(os.getpid(), 9)\n", encoding="utf-8")

    assert CliRunner().invoke(evaluate, [str(tmp_path), "--track", "f1"]).exit_code == 1


def test_eval_names_the_tracks_that_a_folder_enters(tmp_path: Path) -> None:
    (tmp_path / "eval_hits.py").touch()

    with pytest.raises(UsageError, match=r"has no eval_ppl\.py; it enters: hits"):
        CliRunner().invoke(evaluate, [str(tmp_path), "--track", "ppl"], catch_exceptions=False)
    with pytest.raises(UsageError, match="is not a folder"):
        CliRunner().invoke(
            evaluate, [str(tmp_path / "x"), "--track", "ppl"], catch_exceptions=False
        )


def test_every_row_of_the_harness_leads_to_a_command() -> None:
    assert {"data", "eval"} <= {row.name for row in commands()}
