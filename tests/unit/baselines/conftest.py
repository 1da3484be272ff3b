"""Each baseline trained once on the toy set, by the command that people use."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from toyset import STEPS, toy

from baselines.commands import train
from harness.data import fbdialog


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy set as files; train holds it twice, as words seen once are not learned."""
    data = tmp_path_factory.mktemp("toy")
    fbdialog.write(data / "train_self_original.txt", toy() * 2)
    fbdialog.write(data / "valid_self_original.txt", toy())
    return data


@pytest.fixture(scope="session")
def trained(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a baseline, trained on the toy set by the command that people use."""
    root = tmp_path_factory.mktemp("trained")

    def checkpoint(name: str) -> Path:
        if not (root / name).is_dir():
            arguments = [name, "--data", str(toy_data), "--out", str(root / name)]
            steps = ["--steps", str(STEPS[name])] if name in STEPS else []
            result = CliRunner().invoke(train, [*arguments, *steps])
            assert result.exit_code == 0, result.output
        return root / name

    return checkpoint
