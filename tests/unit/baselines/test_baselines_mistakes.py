"""A mistake, or a damaged checkpoint, is one sentence that says what to do next; never a trace."""

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toyset import LEARNED, SANITY, VARIANTS, agent_type, flat, load

from baselines.commands import FOLDERS, folder
from harness.errors import UsageError

Trained = Callable[[str], Path]
Train = Callable[..., int]
TORCH = [name for name in FOLDERS if name not in SANITY]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """`python train.py --data tmp/data --out tmp/out ...` in this process: its exit status."""
    (tmp_path / "data").mkdir()

    def call(name: str, *arguments: str) -> int:
        data = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["train.py", *data, *arguments])
        try:
            with flat(name):
                runpy.run_path(str(folder(name) / "train.py"), run_name="__main__")
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return call


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "train_self_original.txt does not exist; --data names a folder that holds it"),
        ("", "train_self_original.txt:1: the file is empty"),
        ("1 your persona: i am alone .\n", "train_self_original.txt:1: "),
        ("what is this ?\n", "train_self_original.txt:1:"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_named(
    name: str,
    train: Train,
    tmp_path: Path,
    content: str | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / "data" / "train_self_original.txt").write_text(content)

    assert train(name) == 2

    error = capsys.readouterr().err
    assert error.startswith("train: ")
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", TORCH)
def test_a_gpu_that_is_not_there_is_said(
    name: str,
    train: Train,
    toy_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hides one that is
    shutil.copytree(toy_data, tmp_path / "data", dirs_exist_ok=True)
    assert train(name, "--device", "cuda") == 2
    assert "torch sees no CUDA device here; say --device cpu" in capsys.readouterr().err


@pytest.mark.parametrize("name", FOLDERS)
def test_a_missing_checkpoint_is_one_sentence_with_the_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"rostrum train {name} --data DIR --out {tmp_path}"):
        agent_type(name).load(tmp_path)


@pytest.fixture(params=LEARNED)
def copy(request: pytest.FixtureRequest, trained: Trained, tmp_path: Path) -> tuple[str, Path]:
    """A variant, and a checkpoint of it that may be damaged."""
    shutil.copytree(trained(request.param), tmp_path / "copy")
    return request.param, tmp_path / "copy"


def rewrite(path: Path, change: Callable[[object], object]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_a_vocabulary_that_does_not_fit_the_weights_is_refused(copy: tuple[str, Path]) -> None:
    variant, checkpoint = copy
    rewrite(checkpoint / "vocabulary.json", lambda words: words[:-1])  # type: ignore[index]  # a list
    with pytest.raises(UsageError, match=r"(of another model|does not fit)"):
        load(variant, checkpoint)


def test_a_checkpoint_of_another_version_is_refused_by_what_it_says(
    copy: tuple[str, Path],
) -> None:
    variant, checkpoint = copy
    rewrite(
        checkpoint / "config.json",
        lambda config: {**config, "options": {**config["options"], "flux": 3}},  # type: ignore[index, dict-item]  # objects
    )
    with pytest.raises(UsageError, match=r"options\.flux is unknown"):
        load(variant, checkpoint)


def test_half_of_the_weights_are_no_weights(copy: tuple[str, Path]) -> None:
    variant, checkpoint = copy
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"model\.safetensors is damaged"):
        load(variant, checkpoint)


@pytest.mark.parametrize("name", SANITY)
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"x": 1}', '"\ud800"', "[" * 100_000])
def test_a_damaged_config_of_a_sanity_entry_is_refused(
    name: str, content: str, tmp_path: Path
) -> None:
    raw = content.encode("utf-8", "surrogatepass")
    (tmp_path / "config.json").write_bytes(raw)
    with pytest.raises(UsageError, match=r"config\.json is damaged: .*rostrum train"):
        load(name, tmp_path)


def test_the_checkpoint_of_another_baseline_is_refused(trained: Trained) -> None:
    assert VARIANTS["ranker"][0] == "ranker"
    with pytest.raises(UsageError):
        load("kvmemnn", trained("ranker"))
    with pytest.raises(UsageError):
        load("constant-words", trained("random-reply"))
