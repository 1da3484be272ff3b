"""A run by hand that is stopped: by Ctrl-C, by kill -9, by the agent's own error."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data import fbdialog, sample
from harness.report import Report

DIALOGUES = sample.make(3).valid[:12]
EXAMPLES = sum(len(dialogue.examples) for dialogue in DIALOGUES)

AGENT = """
import os, sys, time
from harness import eval_f1

class Agent:
    def respond(self, contexts):
        time.sleep(float(os.environ.get("PAUSE", "0")))
        if os.path.exists("fail"):
            return helper()
        return ["i like " + context.turns[-1].text for context in contexts]

def helper():
    raise RuntimeError("out of luck")

if __name__ == "__main__":
    eval_f1(Agent)
"""

BY_HAND = [sys.executable, "eval_f1.py"]
ROSTRUM = [sys.executable, "-c", "from harness.cli.main import main; main()", "eval", "."]
ROSTRUM += ["--track", "f1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "eval_f1.py").write_text(AGENT, encoding="utf-8")
    (tmp_path / "data").mkdir()
    fbdialog.write(tmp_path / "data" / "valid_self_original.txt", DIALOGUES)
    return tmp_path / "code"


def started(
    folder: Path, command: Sequence[str], *arguments: str, pause: float
) -> subprocess.Popen[str]:
    """The run in a process group of its own, where Ctrl-C is heard wherever tests are started."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", *command, "--batch-size", "4", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PAUSE": str(pause),
            "ROSTRUM_DATA": str(folder.parent / "data"),
            "XDG_STATE_HOME": str(folder.parent / "state"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(folder: Path, command: Sequence[str], *arguments: str) -> tuple[int, str, str]:
    child = started(folder, command, *arguments, pause=0)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def journals(folder: Path) -> list[Path]:
    return list((folder.parent / "state" / "rostrum").glob("*"))


def wait_for_answers(folder: Path, path: Path | None = None) -> None:
    """Until two batches or more are in the journal."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        files = [path] if path else journals(folder)
        if any(file.exists() and file.read_bytes().count(b"\n") > 8 for file in files):
            return
        time.sleep(0.01)
    pytest.fail("nothing was answered")


def report(folder: Path, name: str) -> Report:
    document = json.loads((folder.parent / name).read_text("utf-8"))
    return replace(Report.from_json(document), seconds=0.0)


def test_ctrl_c_says_how_to_go_on_and_going_on_reports_the_same(folder: Path) -> None:
    assert finished(folder, BY_HAND, "--json", "../one.json")[0] == 0
    whole, records = report(folder, "one.json"), (folder.parent / "one.examples.jsonl").read_bytes()
    (folder.parent / "one.json").unlink()
    assert journals(folder) == []  # a finished run leaves none

    child = started(folder, BY_HAND, "--json", "../one.json", pause=0.1)
    wait_for_answers(folder)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert child.returncode == 130
    assert out == ""
    told = re.fullmatch(r"stopped after (\d+) of (\d+) examples; go on with: python (.*)\n", err)
    assert told is not None, err
    assert 8 <= int(told[1]) < int(told[2]) == EXAMPLES
    again = shlex.split(told[3])
    assert again[-2:] == ["--resume", str(journals(folder)[0])]
    code, out, err = finished(folder, [sys.executable, *again])
    assert (code, err) == (0, "")
    assert f"resumed     {told[1]} of the examples were answered before" in out
    assert report(folder, "one.json") == whole
    assert (folder.parent / "one.examples.jsonl").read_bytes() == records
    assert journals(folder) == []


@pytest.mark.parametrize("tell", [os.killpg, os.kill], ids=["the terminal's group", "alone"])
def test_under_rostrum_the_same(folder: Path, tell: Callable[[int, int], None]) -> None:
    child = started(folder, ROSTRUM, "--json", "../one.json", pause=0.1)
    wait_for_answers(folder)
    tell(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    path = shlex.quote(str(journals(folder)[0]))
    ending = f"python eval_f1.py --batch-size 4 --json ../one.json --resume {path}\n"
    assert re.fullmatch(rf"stopped after \d+ of {EXAMPLES} examples; go on with: (.*\n)", err)
    assert err.endswith(ending)


def test_kill_9_loses_no_batch_that_was_answered(folder: Path) -> None:
    assert finished(folder, BY_HAND, "--json", "../whole.json")[0] == 0
    path = folder.parent / "run.journal"
    command = ("--resume", str(path), "--json", "../part.json")
    child = started(folder, BY_HAND, *command, pause=0.1)
    wait_for_answers(folder, path)
    child.kill()
    _, err = child.communicate(timeout=30)
    assert err == f"{path} is new: nothing was answered before\n"
    path.write_bytes(path.read_bytes()[:-7])  # as if the last write had been torn

    code, out, err = finished(folder, BY_HAND, *command)

    assert (code, err) == (0, "")
    assert "of the examples were answered before" in out
    whole, part = report(folder, "whole.json"), report(folder, "part.json")
    assert whole.sidecar is not None
    assert part.sidecar is not None
    assert part.sidecar.sha256 == whole.sidecar.sha256
    assert replace(part, sidecar=None) == replace(whole, sidecar=None)
    assert not path.exists()


def test_ctrl_c_before_the_first_answer_leaves_nothing(folder: Path) -> None:
    child = started(folder, BY_HAND, pause=20)
    deadline = time.monotonic() + 30
    while not journals(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "stopped before the first answer\n")
    assert journals(folder) == []


def test_without_a_place_for_a_journal_a_run_is_still_a_run(folder: Path) -> None:
    (folder.parent / "state").write_text("a file where a folder should be", encoding="utf-8")
    assert finished(folder, BY_HAND)[0] == 0
    child = started(folder, BY_HAND, pause=0.1)
    time.sleep(1.5)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "there was no place to keep the answers" in err or "before the first answer" in err


def test_the_agents_own_error_is_shown_from_its_own_code_on(folder: Path) -> None:
    (folder / "fail").touch()
    code, out, err = finished(folder, BY_HAND)
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert "return helper()" in err
    assert err.endswith("RuntimeError: out of luck\n")
    assert "harness/" not in err  # nothing of ours stands in it
    assert journals(folder) == []


def test_an_agent_that_fails_late_can_go_on_if_its_files_stay(folder: Path) -> None:
    child = started(folder, BY_HAND, pause=0.1)
    wait_for_answers(folder)
    (folder / "fail").symlink_to("nowhere-yet")
    (folder / "nowhere-yet").touch()
    _, err = child.communicate(timeout=30)
    assert child.returncode == 1
    *_, last = err.splitlines()
    told = re.fullmatch(r"ended after \d+ of \d+ examples; go on with: python (.*)", last)
    assert told is not None, err
    again = [sys.executable, *shlex.split(told[1])]

    (folder / "eval_f1.py").write_text(AGENT + "# mended\n", encoding="utf-8")
    code, _, err = finished(folder, again)
    assert code == 2
    assert "was begun with another state of the agent's files" in err

    (folder / "eval_f1.py").write_text(AGENT, encoding="utf-8")
    (folder / "fail").unlink()
    (folder / "nowhere-yet").unlink()
    assert finished(folder, again)[0] == 0


def test_resume_refuses_what_is_no_journal_and_leaves_it(folder: Path) -> None:
    (folder.parent / "notes").write_text("dear diary", encoding="utf-8")
    code, _, err = finished(folder, BY_HAND, "--resume", "../notes")
    assert (code, err) == (
        2,
        "eval_f1.py: ../notes is not a journal of schema 1; name another file\n",
    )
    assert (folder.parent / "notes").read_text("utf-8") == "dear diary"
