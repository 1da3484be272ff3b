"""A track file run by hand: where its data comes from and what it prints."""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from byhand import SUBMISSION, data_folder, dialogue, environment

from harness.cli.public_data import data_file, find_dictionary
from harness.data import cache, fbdialog
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.report import Report
from harness.text import Vocabulary


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return data_folder(tmp_path)


class Done(NamedTuple):
    """How a run in this process ended."""

    returncode: int
    stdout: str
    stderr: str


Here = Callable[..., Done]


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Here:
    """Runs a track file in this process, which is quicker; click ends it as it would a child."""
    monkeypatch.chdir(tmp_path)
    for name in ("ROSTRUM_DATA", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)

    def evaluated(call: str, *arguments: str, code: str = SUBMISSION) -> Done:
        file = tmp_path / f"{call}.py"
        file.write_text(code.format(call=call), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", [str(file), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(file), run_name="__main__")
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return evaluated


def test_profile_and_examples_can_be_left_out(tmp_path: Path, data: Path, here: Here) -> None:
    done = here("eval_f1", "--json", "out.json", "--no-examples", "--no-profile")
    assert "further     precision" in done.stdout
    assert "BLEU" not in done.stdout
    report = Report.load(tmp_path / "out.json")
    assert report.sidecar is None
    assert not (tmp_path / "out.examples.jsonl").exists()
    assert {measure.name for measure in report.measures} == {"precision", "recall"}


def test_a_variant_is_a_file_of_the_folder(tmp_path: Path, data: Path, here: Here) -> None:
    fbdialog.write(data / "valid_both_revised_no_cands.txt", [dialogue("five")])
    done = here("eval_f1", "--variant", "both_revised_no_cands", "--json", "-")
    assert Report.from_json(json.loads(done.stdout)).score.n == 2


def test_a_fetched_set_goes_by_its_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(data.parent))
    with pytest.raises(UsageError, match="convai2 is not in") as caught:
        data_file("convai2", split="valid")
    assert caught.value.hint == "Get it with: rostrum data fetch convai2"
    set_ = cache.folder("convai2")
    set_.parent.mkdir(parents=True, exist_ok=True)
    data.rename(set_)
    assert data_file("convai2", split="train") == set_ / "train_self_original.txt"
    named = data_file("convai2:train_self_original", split="valid")
    assert named == set_ / "train_self_original.txt"
    monkeypatch.setenv("ROSTRUM_DATA", "convai2")
    assert data_file(None, split="valid") == set_ / "valid_self_original.txt"


def test_bad_dialogues_are_left_out_and_told(tmp_path: Path, data: Path, here: Here) -> None:
    file = data / "valid_self_original.txt"
    text = file.read_text("utf-8") + "1 a line\twith\ttoo\tmany\ttabs\n"
    file.write_text(text, encoding="utf-8")
    refused = here("eval_f1", "--json", "-")
    assert refused.returncode == 2
    assert f"valid_self_original.txt:{text.count(chr(10))}" in refused.stderr
    done = here("eval_f1", "--skip-bad", "1", "--json", "-")
    assert done.returncode == 0
    assert "left out: " in done.stderr
    assert Report.from_json(json.loads(done.stdout)).score.n == 4


def test_ppl_counts_words_and_finds_the_dictionary_beside_the_data(
    tmp_path: Path, data: Path, here: Here
) -> None:
    done = here("eval_ppl", "--data", "data/train_self_original.txt", "--json", "-")
    report = Report.from_json(json.loads(done.stdout))
    files = [data / f"{split}_self_original.txt" for split in ("train", "valid")]
    vocabulary = Vocabulary.build(*map(fbdialog.read, files))
    assert report.vocabulary == len(vocabulary)
    assert report.score.value == pytest.approx(len(vocabulary))
    assert (report.tokens, report.unknown) == (14, 0)
    vocabulary.save(tmp_path / "official.tsv")
    assert find_dictionary(tmp_path / "official.tsv", beside=files[0]) == vocabulary


def test_limit_split_and_batch_size(tmp_path: Path, data: Path, here: Here) -> None:
    done = here("eval_f1", "--split", "train", "--limit", "1", "--batch-size", "1", "--json", "-")
    report = Report.from_json(json.loads(done.stdout))
    train = fbdialog.read(data / "train_self_original.txt")

    class Persona:
        def respond(self, contexts):  # type: ignore[no-untyped-def]
            return [f"tea [31m for {context.persona[0]}" for context in contexts]

    assert report.score == evaluate(Persona(), train[:1], "f1").score


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--data", "nowhere"), "there is no nowhere/valid_self_original.txt"),
        (("--split", "test"), "there is no data/test_self_original.txt"),
        (("--split", "tset"), "'tset' is not one of 'train', 'valid', 'test'"),
        (("--limit", "0"), "0 is not in the range"),
        (("--dictionary", "none.tsv"), "none.tsv"),
        (("--data", "alone.txt"), "train_self_original.txt and valid_self_original.txt beside"),
        (
            ("--json", "no/such/folder.json"),
            "no/such is not a folder; --json names a file in a folder",
        ),
        (("--variant", "self"), "'self' is not one of 'self_original'"),
        (("--variant", "none_original"), "there is no data/valid_none_original.txt"),
        (("--data", "convai2"), "rostrum data fetch convai2"),
        (("--batch-tokens", "0"), "0 is not in the range"),
    ],
)
def test_asking_wrongly_is_answered_in_a_sentence(
    tmp_path: Path, data: Path, here: Here, arguments: tuple[str, ...], reason: str
) -> None:
    (tmp_path / "alone").mkdir()
    fbdialog.write(tmp_path / "alone" / "alone.txt", [dialogue("x")])
    arguments = tuple("alone/alone.txt" if part == "alone.txt" else part for part in arguments)
    done = here("eval_ppl", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_invalid_prediction_by_hand_is_a_sentence_and_status_1(data: Path, here: Here) -> None:
    code = SUBMISSION.replace("float(len(text))", "float('nan')")
    done = here("eval_hits", code=code)
    assert done.returncode == 1
    assert "a score is NaN or infinite" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_data_folder_may_be_named_by_the_environment(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_DATA", str(data))
    assert data_file(None, split="train") == data / "train_self_original.txt"
    monkeypatch.delenv("ROSTRUM_DATA")
    monkeypatch.chdir(data.parent)
    assert data_file(None, split="valid") == Path("data/valid_self_original.txt")
    with pytest.raises(UsageError, match="ROSTRUM_DATA"):
        data_file(data, split="test")
