"""train.py of the language model: which recipe is taken, what is drawn, what is refused."""

from pathlib import Path
from types import ModuleType

import pytest
from toyset import module_of, toy

from harness.cli.training import Run, command_line
from harness.data import fbdialog
from harness.errors import UsageError


@pytest.fixture
def recipe() -> ModuleType:
    return module_of("lm", "train")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "valid"):
        fbdialog.write(folder / f"{split}_self_original.txt", toy())
    return folder


def run_of(recipe: ModuleType, data: Path, *options: str) -> Run:
    parser = command_line()
    recipe.add(parser)
    out = data.parent / "out"
    common = ["--data", str(data), "--out", str(out), "--threads", "1", "--device", "cpu"]
    return Run(parser.parse_args([*common, *options]))


@pytest.mark.parametrize(
    ("options", "kind", "optimizer"),
    [
        ((), "lstm", "adamw"),
        (("--kind", "transformer"), "transformer", "adamw"),
        (("--historical",), "lstm", "sgd"),
        (("--historical", "--kind", "lstm"), "lstm", "sgd"),
    ],
)
def test_a_recipe_by_its_name(
    recipe: ModuleType, data: Path, options: tuple[str, ...], kind: str, optimizer: str
) -> None:
    small = ("--set", "model.size=16", "--set", "model.states=8", "--updates", "1", "--seed", "3")
    recipe.train(run_of(recipe, data, *options, *small))

    agent = module_of("lm", "agent").make_agent(data.parent / "out")
    assert agent.options.model.kind == kind
    assert agent.options.training.optimizer == optimizer
    assert agent.options.seed == 3
    assert agent.trained["updates"] == 1
    assert len(agent.background) == recipe.BACKGROUND
    assert agent.options.model.tied == (optimizer != "sgd")
    from_frequency = abs(float(agent.model.bias.detach().exp().sum()) - 1) < 0.1
    assert from_frequency == (optimizer != "sgd")


def test_the_seed_draws_the_background(recipe: ModuleType, data: Path) -> None:
    first, again, other = (
        recipe.drawn(run_of(recipe, data, "--seed", seed)) for seed in ("1", "1", "2")
    )
    assert first == again
    assert first != other


def test_the_model_of_2018_is_no_transformer(recipe: ModuleType, data: Path) -> None:
    run = run_of(recipe, data, "--historical", "--kind", "transformer")
    with pytest.raises(UsageError, match="is an LSTM; leave --kind or --historical out"):
        recipe.train(run)
    assert not run.out.exists()
