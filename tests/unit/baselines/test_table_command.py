"""`rostrum baselines` and `rostrum ablate`, whole, with baselines that train in no time."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from click.testing import CliRunner, Result

from baselines.ablation.command import ablate
from baselines.table import command
from baselines.table.command import baselines
from baselines.table.rows import Bar, Row
from harness.data import fbdialog, load
from harness.errors import UsageError

SPLIT = ("--split", "valid", "--threads", "1")


def table(data: Path, out: Path, *further: str) -> Result:
    arguments = ["--data", str(data), "--out", str(out), *SPLIT, *further]
    return CliRunner().invoke(baselines, arguments)


def ablation(data: Path, out: Path, *further: str) -> Result:
    arguments = ["--data", str(data), "--out", str(out), *SPLIT, *further]
    return CliRunner().invoke(ablate, [*arguments, "--model", "tfidf-retrieval"])


def stamps(out: Path) -> dict[str, int]:
    """When each checkpoint and report was made."""
    made = [*out.rglob("checkpoint/*"), *out.rglob("*.json")]
    return {str(path): path.stat().st_mtime_ns for path in made if path.parent != out}


def test_a_table_is_made_once_and_again_at_once(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    only = ("--only", "word-frequency", "--only", "random-reply")

    first = table(toy_data, out, *only)
    before = stamps(out)
    again = table(toy_data, out, *only)

    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout == (out / "table.md").read_text("utf-8")
    assert stamps(out) == before
    assert "[1 of 2] random-reply" in first.stderr
    document = json.loads((out / "table.json").read_text("utf-8"))
    assert [row["name"] for row in document["rows"]] == ["random-reply", "word-frequency"]
    drawn, counted = document["rows"]
    assert {"hits@1", "mrr", "f1", "distinct"} <= set(drawn["measures"])
    assert len(drawn["signatures"]) == 2
    assert counted["measures"]["ppl"]["n"] == 100
    assert counted["seconds"] > 0
    assert counted["bytes"] > 100


def test_a_row_that_fails_is_said_and_the_others_go_on(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        Row(name="broken", baseline="random-reply", options=("--no-such-option",)),
        Row(name="child", baseline="random-reply", like="broken"),
        Row(name="good", baseline="random-reply", bars=(Bar("hits@1", at_least=0.99),)),
    )
    monkeypatch.setattr(command, "chosen", lambda _names: rows)

    done = table(toy_data, tmp_path / "out")

    assert done.exit_code == 1
    assert "**broken failed:** training random-reply ended with exit status 2." in done.stdout
    assert "**child failed:** there is no checkpoint of broken to take." in done.stdout
    assert "| good | hits@1 at least 99.00 % |" in done.stdout
    assert "**not met**" in done.stdout


def test_without_data_nothing_is_trained(tmp_path: Path) -> None:
    done = table(tmp_path, tmp_path / "out")
    assert isinstance(done.exception, UsageError)
    assert "train_self_original.txt does not exist" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_an_interrupt_says_how_to_go_on(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:  # Any: whatever it is called with
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "train", interrupted)
    done = table(toy_data, tmp_path / "out", "--only", "random-reply")
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr
    assert not (tmp_path / "out" / "table.md").exists()


def test_an_ablation_is_made_once_and_says_what_is_absent(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lengths = ("--candidates", "20", "--candidates", "40")

    first = ablation(toy_data, out, *lengths)
    before = stamps(out)
    again = ablation(toy_data, out, *lengths)

    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout == (out / "ablation.md").read_text("utf-8")
    assert stamps(out) == before
    assert "left out: persona revised, it needs train_self_revised.txt" in first.stderr
    document = json.loads((out / "ablation.json").read_text("utf-8"))
    assert [(it["persona"], it["candidates"]) for it in document["cells"]] == [
        (persona, count) for count in (20, 40) for persona in ("none", "self", "random")
    ]
    assert {it["persona"] for it in document["absent"]} == {"revised", "other"}
    assert all(it["n"] == 100 for it in document["cells"])
    assert len(fromstring((out / "ablation.svg").read_text("utf-8")).findall(".//{*}circle")) == 6


def test_more_candidates_never_rank_the_reply_higher(toy_data: Path, tmp_path: Path) -> None:
    lengths = ("--candidates", "5", "--candidates", "40", "--persona", "self")
    done = ablation(toy_data, tmp_path / "out", *lengths)
    assert done.exit_code == 0, done.output
    few, many = json.loads((tmp_path / "out" / "ablation.json").read_text("utf-8"))["cells"]
    for name, value in few["measures"].items():
        assert value["value"] >= many["measures"][name]["value"], name


def test_a_condition_that_is_there_is_trained_on_its_own_data(
    toy_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "valid"):
        own = load(toy_data / f"{split}_self_original.txt")
        fbdialog.write(data / f"{split}_self_original.txt", own)
        fbdialog.write(data / f"{split}_self_revised.txt", own)

    chosen = ("--persona", "revised", "--persona", "none", "--candidates", "5")
    done = ablation(data, tmp_path / "out", *chosen)

    assert done.exit_code == 0, done.output
    assert "left out" not in done.stderr
    learned = {
        name: (
            tmp_path / "out" / "tfidf-retrieval" / name / "checkpoint" / "config.json"
        ).read_text()
        for name in ("revised", "none")
    }
    assert "i talk a lot" in learned["revised"]
    assert "i talk a lot" not in learned["none"]


def test_a_model_that_does_not_rank_is_refused(toy_data: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(toy_data), "--out", str(tmp_path / "out"), *SPLIT]
    done = CliRunner().invoke(ablate, [*arguments, "--model", "word-frequency"])
    assert isinstance(done.exception, UsageError)
    assert "word-frequency does not enter the hits track" in str(done.exception)


def test_nothing_but_absent_conditions_is_a_failure(toy_data: Path, tmp_path: Path) -> None:
    done = ablation(toy_data, tmp_path / "out", "--persona", "revised", "--candidates", "5")
    assert done.exit_code == 1
    assert "**Not there: revised.**" in done.stdout
    assert not (tmp_path / "out" / "ablation.svg").exists()


def test_an_ablation_that_trained_less_says_so(toy_data: Path, tmp_path: Path) -> None:
    few = ("--persona", "none", "--candidates", "5", "--updates", "5")
    done = ablation(toy_data, tmp_path / "out", *few)
    assert done.exit_code == 0, done.output
    assert "trained with --updates 5" in done.stdout
