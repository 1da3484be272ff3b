"""The shared pieces: words as numbers, the schedule, checkpoints that come back whole."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.errors import UsageError
from harness.text import SPECIALS
from harness.torch import checkpoint
from harness.torch.training import batches, bucketed
from harness.torch.words import UNKNOWN, Words, padded


def test_words_are_ordered_by_count_and_unknown_ones_have_one_id() -> None:
    words = Words.build(["b a b", "c, b", "a"], minimum=2, extra=("__mark__",))

    assert words.words == (*SPECIALS, "__mark__", "b", "a")
    assert words.ids("A b zebra") == [6, 5, UNKNOWN]


def test_a_text_cannot_spell_a_special() -> None:
    assert Words.build(["__end__ __end__ word"]).words == (*SPECIALS, "word")


def test_rows_are_padded_on_the_right() -> None:
    assert padded([[5], [], [7, 8]]).tolist() == [[5, 0], [0, 0], [7, 8]]
    assert padded([[], []]).shape == (2, 1)


def test_an_epoch_shows_every_example_once() -> None:
    epoch = itertools.islice(batches(12, size=4, seed=1), 3)
    assert sorted(itertools.chain(*epoch)) == list(range(12))
    assert next(batches(3, size=100, seed=1)) != []


def test_bucketed_batches_hold_like_lengths() -> None:
    lengths = [i % 4 for i in range(64)]
    epoch = list(itertools.islice(bucketed(lengths, size=16, seed=1, pool=4), 4))
    assert sorted(itertools.chain(*epoch)) == list(range(64))
    assert all(len({lengths[i] for i in batch}) == 1 for batch in epoch)


def stored(folder: Path) -> None:
    checkpoint.save(
        folder,
        weights={"x": torch.arange(6.0).view(2, 3).T},
        config={"model": {"size": 3}, "replies": ["naïve ☃"]},
        words=Words.build(["hello world"]),
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    stored(tmp_path / "made" / "here")
    stored(tmp_path / "made" / "here")  # in place of the first

    back = checkpoint.load(tmp_path / "made" / "here", baseline="ranker")

    assert torch.equal(back.weights["x"], torch.arange(6.0).view(2, 3).T)
    assert back.config == {"model": {"size": 3}, "replies": ["naïve ☃"]}
    assert back.words == Words.build(["hello world"])
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["here"]


def test_a_folder_of_other_things_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not a checkpoint"):
        stored(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocabulary.json"])
def test_a_damaged_or_missing_file_is_named(name: str, tmp_path: Path) -> None:
    stored(tmp_path / "c")
    (tmp_path / "c" / name).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(UsageError, match=f"{name} is damaged"):
        checkpoint.load(tmp_path / "c", baseline="ranker")
    (tmp_path / "c" / name).unlink()
    with pytest.raises(UsageError, match=f"{name} is missing.*rostrum train ranker"):
        checkpoint.load(tmp_path / "c", baseline="ranker")


def test_json_of_another_kind_is_damaged(tmp_path: Path) -> None:
    stored(tmp_path / "c")
    (tmp_path / "c" / "vocabulary.json").write_text(json.dumps({"hello": 1}))
    with pytest.raises(UsageError, match="holds no list"):
        checkpoint.load(tmp_path / "c", baseline="ranker")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    stored(tmp_path / "c")
    with pytest.raises(UsageError, match="of another model"):
        checkpoint.load(tmp_path / "c", baseline="ranker").into(torch.nn.Linear(2, 2))


def test_the_harness_itself_never_loads_torch() -> None:
    code = (
        "import sys, harness.evaluation, harness.scripts, harness.data, harness.torch, "
        "baselines.commands; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
