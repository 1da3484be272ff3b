"""A checkpoint comes back whole, and a damaged one says which part."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch_toys import ToyRanker, fresh

from harness.errors import UsageError
from harness.torch import checkpoint
from harness.torch.words import Words

WORDS = Words.build(["hello world"])


def stored(folder: Path, **more: object) -> None:
    checkpoint.save(
        folder,
        weights={"x": torch.arange(6.0)},
        config={"options": {}},
        words=WORDS,
        **more,  # type: ignore[arg-type]  # files or a state
    )


def test_an_agent_comes_back_with_its_options_and_weights(tmp_path: Path) -> None:
    agent = fresh()
    agent.save(tmp_path / "c")
    back = ToyRanker.load(tmp_path / "c")

    assert back.options == agent.options
    assert back.words == agent.words
    for name, weight in agent.model.state_dict().items():
        assert torch.equal(weight, back.model.state_dict()[name])
    assert all(weight.requires_grad for weight in back.model.parameters())
    assert not back.model.training
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "config.json",
        "model.safetensors",
        "vocabulary.json",
    ]


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(4, 3), nn.Linear(3, 4, bias=False)
        self.output.weight = self.embedding.weight


def test_tied_weights_come_back_tied(tmp_path: Path) -> None:
    model = Tied()
    checkpoint.save(tmp_path / "c", weights=model.state_dict(), config={}, words=WORDS)
    back = Tied()
    checkpoint.load(tmp_path / "c").into(back)

    assert torch.equal(back.output.weight, model.embedding.weight)
    assert back.output.weight is back.embedding.weight


def test_further_files_come_back_and_are_replaced_with_their_checkpoint(tmp_path: Path) -> None:
    stored(tmp_path / "c", files={"list.json": b"[1]"})
    assert checkpoint.load(tmp_path / "c").file("list.json") == b"[1]"
    stored(tmp_path / "c")
    assert not (tmp_path / "c" / "list.json").exists()
    with pytest.raises(UsageError, match=r"lists no file 'list\.json'"):
        checkpoint.load(tmp_path / "c").file("list.json")


def test_a_folder_with_a_file_of_yours_is_not_replaced(tmp_path: Path) -> None:
    stored(tmp_path / "c", files={"list.json": b"[1]"})
    (tmp_path / "c" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not a checkpoint"):
        stored(tmp_path / "c")


def test_a_list_of_files_leads_nowhere_else(tmp_path: Path) -> None:
    stored(tmp_path / "c")
    (tmp_path / "c" / "config.json").write_text(json.dumps({"files": ["../secret", 3, ".."]}))
    (tmp_path / "secret").write_text("x")
    with pytest.raises(UsageError, match="lists no file"):
        checkpoint.load(tmp_path / "c").file("../secret")


def spoil(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(json.dumps(value) if not isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("config.json", "[" * 100_000, "config.json is damaged: it is not JSON"),
        ("config.json", {}, "config.json is damaged: it holds no 'options'"),
        ("config.json", {"options": {"sede": 1}}, "config.json: options.sede is unknown"),
        ("vocabulary.json", ["a", "a"], "vocabulary.json is damaged: it is not a list of words"),
        ("vocabulary.json", ["a", 1], "vocabulary.json is damaged: it is not a list of words"),
        ("vocabulary.json", ["a", "b"], "vocabulary.json is damaged: it does not begin with"),
        ("model.safetensors", "", "model.safetensors is damaged: it is not a safetensors file"),
    ],
)
def test_the_damaged_part_is_named(name: str, value: object, said: str, tmp_path: Path) -> None:
    fresh().save(tmp_path / "c")
    spoil(tmp_path / "c", name, value)
    with pytest.raises(UsageError, match=said):
        ToyRanker.load(tmp_path / "c")


def test_weights_of_another_model_are_named(tmp_path: Path) -> None:
    fresh().save(tmp_path / "c")
    path = tmp_path / "c" / "model.safetensors"
    weights = load_file(path)

    save_file({**weights, "more": torch.zeros(1)}, path)
    with pytest.raises(UsageError, match="another model: more is not in the model"):
        ToyRanker.load(tmp_path / "c")
    save_file({**weights, "table.weight": torch.zeros(2, 3)}, path)
    with pytest.raises(UsageError, match=r"table\.weight is 2x3, the model's is \d+x32"):
        ToyRanker.load(tmp_path / "c")
    del weights["table.weight"]
    save_file(weights, path)
    with pytest.raises(UsageError, match=r"table\.weight is missing"):
        ToyRanker.load(tmp_path / "c")


def test_a_cut_file_of_weights_is_damaged(tmp_path: Path) -> None:
    fresh().save(tmp_path / "c")
    path = tmp_path / "c" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match="not a safetensors file"):
        ToyRanker.load(tmp_path / "c")


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint in .*nowhere \(model.safetensors"):
        ToyRanker.load(tmp_path / "nowhere")
