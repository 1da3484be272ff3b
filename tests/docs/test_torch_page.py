"""docs/torch.md says what is: its files run as they stand, its tables hold every option."""

import json
import os
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_args

import pytest

from harness.data import fbdialog, jsonl
from harness.dialogue import Context, Dialogue, Example, Turn
from harness.torch.checkpoint import CONFIG, STATE, STATE_TENSORS, VOCABULARY, WEIGHTS
from harness.torch.encodings import ENCODED, LISTED
from harness.torch.learning import Plan
from harness.torch.options import OptimizerName, TextOptions, TorchOptions, TrainingOptions
from harness.torch.ranker import RankingOptions
from harness.torch.sources import Source
from harness.torch.typed import to_json
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "torch.md").read_text("utf-8")
SIGHTS = {
    "tea": "a cup of it",
    "rain": "makes gardens grow",
    "jazz": "old records",
    "snow": "forts",
}


def file(name: str) -> str:
    """The code block of the page that is this file."""
    found = re.search(rf"```python\n# {re.escape(name)}\n(.*?)```", PAGE, flags=re.S)
    assert found, f"docs/torch.md has no file {name}"
    return found[1]


def talks() -> list[Dialogue]:
    """What was asked decides the reply; each twice, so that no word is rare."""
    replies = tuple(SIGHTS.values())
    return [
        Dialogue(
            id=f"{sight}{copy}",
            persona=("i talk a lot .",),
            examples=(Example((f"what about {sight} ?",), (reply,), candidates=replies),),
        )
        for copy in range(2)
        for sight, reply in SIGHTS.items()
    ]


def run(folder: Path, *command: str) -> str:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_ranker_of_the_page_learns_and_enters_its_track(tmp_path: Path) -> None:
    for name in ("agent.py", "train.py", "eval_hits.py"):
        (tmp_path / name).write_text(file(name), encoding="utf-8")
    jsonl.write(tmp_path / "talks.jsonl", talks())

    run(tmp_path, "train.py", "talks.jsonl", "talks.jsonl")
    run(tmp_path, "eval_hits.py", "--data", "talks.jsonl", "--json", "report.json")

    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["score"]["value"] >= 0.95


def test_the_command_line_of_the_page_trains(tmp_path: Path) -> None:
    for name in ("agent.py", "command.py"):
        (tmp_path / name).write_text(file(name), encoding="utf-8")
    for split in ("train", "valid"):
        fbdialog.write(tmp_path / f"{split}_self_original.txt", talks())

    said = run(tmp_path, "command.py", "--data", ".", "--out", "made", "--updates", "60")

    assert "60 updates in" in said
    assert (tmp_path / "made" / WEIGHTS).is_file()


def test_the_plan_stands_in_a_table() -> None:
    for part in fields(Plan):
        default = "" if part.default is MISSING else f"`{part.default!r}`".replace("'", '"')
        row = f"| `{part.name}` | {default} |".replace("|  |", "| |")
        assert row in PAGE, f"docs/torch.md lacks {row}"


def test_the_constant_of_the_page_learns() -> None:
    names: dict[str, object] = {}
    exec(compile(file("constant.py"), "constant.py", "exec"), names)
    from harness.torch.vectors import learn_words

    agent = names["Constant"](learn_words([]))  # type: ignore[operator]  # the page's class
    context = Context("x", turns=(Turn("partner", "well ?"),))
    rows = [agent.vectorize(context, labels=(text,)) for text in ("no .", "no .", "yes .")]
    for _ in range(5):
        agent.train_step(agent.batchify(rows))

    assert agent.respond([context]) == ["no ."]


@pytest.mark.parametrize("options", [TextOptions, TrainingOptions, RankingOptions, TorchOptions])
def test_every_option_stands_in_a_table_with_its_default(options: type) -> None:
    plain = to_json(options())
    for part in fields(options):
        if isinstance(plain[part.name], dict):
            assert f"`options.{part.name}`" in PAGE
            continue
        row = f"| `{part.name}` | `{json.dumps(plain[part.name])}` |"
        assert row in PAGE, f"docs/torch.md lacks {row}"


def test_every_source_optimiser_and_file_is_named() -> None:
    for source in get_args(Source):
        assert re.search(rf"^\| `{source}` \|", PAGE, flags=re.M)
    for name in get_args(OptimizerName):
        assert f"`{name}`" in PAGE
    for name in (CONFIG, STATE, STATE_TENSORS, VOCABULARY, WEIGHTS, ENCODED, LISTED):
        assert f"`{name}`" in PAGE
