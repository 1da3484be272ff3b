"""`rostrum data show`, `stats` and `sample` as a person runs them."""

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from harness.cli.data import data
from harness.cli.data_show import _page
from harness.data import fbdialog, jsonl
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import Vocabulary

TALK = Dialogue(
    "talk-a",
    ("i like tea .",),
    ("i ski .",),
    (
        Example(("__SILENCE__",), ("hello",)),
        Example(("hi \x1b[2J",), ("yes ,", "no"), ("maybe", "yes ,"), "1"),
    ),
)
OTHER = Dialogue("2", (), (), (Example(("who",), ("me",)),))
COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    jsonl.write(tmp_path / "talk.jsonl", [TALK, OTHER])
    return tmp_path / "talk.jsonl"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(data, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_through_a_pipe_a_dialogue_is_plain_lines_with_steering_characters_escaped(
    file: Path,
) -> None:
    assert run("show", file, "--candidates").split("\n") == [
        "dialogue 1, id talk-a",
        "  persona  i like tea .",
        "  partner's persona  i ski .",
        "  partner  __SILENCE__",
        "  self     hello",
        "  partner  hi \\u{1b}[2J",
        "  self     yes , | no",
        "           - maybe",
        "           * yes ,",
        "",
    ]


def test_a_dialogue_is_found_by_its_number_or_its_id(file: Path) -> None:
    assert run("show", file, "--dialogue", "2").startswith("dialogue 2\n")
    assert run("show", file, "--dialogue", "talk-a").startswith("dialogue 1, id talk-a\n")
    assert run("show", file, "--limit", "5").count("dialogue") == 2
    for wanted, which in (("3", "number 3"), ("x", "the id 'x'")):
        with pytest.raises(UsageError, match=f"has no dialogue {which}; it has 2"):
            run("show", file, "--dialogue", wanted)


def test_show_reads_no_further_than_what_it_shows(file: Path) -> None:
    with file.open("ab") as more:
        more.write(b"not JSON\n")
    assert "dialogue 2" in run("show", file, "--dialogue", "2")
    assert json.loads(run("show", file, "--limit", "2", "--json"))["shown"][1]["number"] == 2


def test_show_as_json_holds_the_dialogues(file: Path) -> None:
    document = json.loads(run("show", file, "--json"))
    (shown,) = document["shown"]
    assert (document["file"], shown["number"], shown["id"]) == (str(file), 1, "talk-a")
    assert shown["examples"][1]["candidates"] == ["maybe", "yes ,"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_the_terminal_with_the_partner_left_and_the_reply_right(width: int) -> None:
    long = Dialogue("1", (), (), (Example(("so " * 60,), ("很好 " * 40,)),))
    console = Console(width=width, record=True, file=io.StringIO())
    for dialogue in (TALK, long):
        for part in _page(dialogue, number=1, lists=True, width=width):
            console.print(part)
    lines = console.export_text().rstrip("\n").split("\n")

    assert max(map(len, lines)) <= width
    (heard,) = [line for line in lines if "hi \\u{1b}[2J" in line]
    assert heard.startswith("│ hi")
    (said,) = [line for line in lines if "│ hello │" in line or "│ hello " in line]
    assert said.startswith(" " * (width // 3))
    assert any("(begins: says nothing yet)" in line for line in lines)
    assert any("* yes ," in line for line in lines)
    assert any("reply 2, reward 1" in line for line in lines)


def test_on_a_terminal_show_draws_bubbles(file: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, "data", "show", str(file)], stdout=theirs) as shown:
        os.close(theirs)
        drawn = b""
        with suppress(OSError):  # what Linux says when the other end is closed
            while part := os.read(ours, 4096):
                drawn += part
        assert shown.wait(30) == 0
    os.close(ours)
    assert "╭─".encode() in drawn


def test_show_refuses_a_bad_file_as_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("hello\n", encoding="utf-8")

    ended = subprocess.run(
        [*COMMAND, "data", "show", str(tmp_path / "bad.txt")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "bad.txt:1:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_stats_counts_each_file(file: Path, tmp_path: Path) -> None:
    fbdialog.write(tmp_path / "other.txt", [OTHER])

    told = run("stats", file, tmp_path / "other.txt")
    first, second = json.loads(run("stats", file, tmp_path / "other.txt", "--json"))["files"]

    assert str(file) in told.split("\n")
    assert " dialogues           2\n" in told
    assert " candidates          0 to 2, median 0, 90 % up to 2\n" in told
    assert " candidates          none\n" in told
    assert (first["dialogues"], second["examples"]) == (2, 1)
    assert first["sha256"] == jsonl.digest([TALK, OTHER])


def test_bad_dialogues_are_left_out_and_told(file: Path) -> None:
    with file.open("ab") as more:
        more.write(b"not JSON\n")
    result = CliRunner().invoke(data, ["stats", str(file), "--skip-bad", "1", "--json"])
    assert json.loads(result.stdout)["files"][0]["dialogues"] == 2
    assert result.stderr.startswith(f"left out: {file}:3")


def test_sample_writes_three_splits_and_their_dictionary(tmp_path: Path) -> None:
    splits = json.loads(run("sample", "--out", tmp_path, "--seed", "2", "--json"))["splits"]

    train, valid, test = (
        fbdialog.read(tmp_path / f"{split}_self_original.txt")
        for split in ("train", "valid", "test")
    )
    assert splits["test"]["sha256"] == jsonl.digest(test)
    assert Vocabulary.load(tmp_path / "dictionary.tsv") == Vocabulary.build(train, valid)
    assert "test   100 dialogues, " in run("sample", "--out", tmp_path)
