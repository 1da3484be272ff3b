"""A track file run by hand, as a program of its own: what it prints, and the chat."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from byhand import SUBMISSION, data_folder, environment

from harness import records
from harness.agent import TRACKS, Track
from harness.report import Report

KEEPS_BY_ID = """
from harness import interactive

class Agent:
    def __init__(self):
        self.answers = {}
    def respond(self, contexts):
        for context in contexts:
            self.answers.setdefault(context.id, context.turns[-1].text + "!")
        return [self.answers[context.id] for context in contexts]

if __name__ == "__main__":
    interactive(Agent)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return data_folder(tmp_path)


def run(
    tmp_path: Path, call: str, *arguments: str, **options: str
) -> subprocess.CompletedProcess[str]:
    file = tmp_path / f"{call}.py"
    file.write_text(SUBMISSION.format(call=call), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(file), *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]  # `input` alone
    )


@pytest.mark.parametrize("track", TRACKS)
def test_by_hand_it_prints_score_interval_n_speed_and_signature(
    tmp_path: Path, data: Path, track: Track
) -> None:
    done = run(tmp_path, f"eval_{track}", "--json", "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    report = Report.from_json(json.loads((tmp_path / "out.json").read_text(encoding="utf-8")))
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    title = {"hits": "hits@1", "f1": "F1", "ppl": "perplexity"}[track]
    shown = {"hits": "50.00 %", "f1": f"{100 * report.score.value:.2f} %", "ppl": "23.00"}[track]
    assert lines[title].startswith(f"{shown} (95 % interval ")
    assert lines["n"] == "4 examples in 2 dialogues"
    assert lines["speed"].endswith(" examples/s")
    assert lines["signature"] == report.signature
    further = {"hits": "hits@3 100.00 %", "f1": "distinct-1", "ppl": None}[track]
    assert further is None or further in lines["further"]
    assert lines["more"] == "rostrum report out.json"
    assert report.track == track
    assert report.sandbox == "in-process"
    assert report.sidecar is not None
    assert report.sidecar.records == len(list(records.read(tmp_path / "out.examples.jsonl"))) == 4


def test_a_chat_ends_on_an_empty_line_and_shows_no_control_characters(
    tmp_path: Path, data: Path
) -> None:
    done = run(tmp_path, "interactive", "--persona", "i am me .", input="hello\nand you?\n\nmore\n")
    assert (done.returncode, done.stderr) == (0, "persona: i am me .\n")
    assert done.stdout == "tea [31m for i am me .\n" * 2


def test_a_chat_draws_its_persona_by_the_seed(tmp_path: Path, data: Path) -> None:
    shown = {
        run(tmp_path, "interactive", "--seed", str(seed), input="").stderr for seed in range(3)
    }
    assert shown == {"persona: i am three .\n", "persona: i am four .\n"}


def test_a_chat_asks_each_question_under_an_id_of_its_own(tmp_path: Path, data: Path) -> None:
    """An agent may keep its answer to an example by the example's id."""
    file = tmp_path / "interactive.py"
    file.write_text(KEEPS_BY_ID, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file), "--json", "said.json"],
        input="one\ntwo\n/undo\nthree\n/new\nfour\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["one!", "two!", "three!", "four!"]
    held = json.loads((tmp_path / "said.json").read_text("utf-8"))["conversations"]
    said = [[turn["text"] for turn in one["turns"]] for one in held]
    assert said == [["one", "one!", "three", "three!"], ["four", "four!"]]
