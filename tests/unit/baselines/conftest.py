"""Each baseline trained once on the toy set, by the command that people use."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from toyset import VARIANTS, toy

from baselines.commands import train
from harness.data import fbdialog


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy set as files, the same to learn and to select from: it is to be known by heart."""
    data = tmp_path_factory.mktemp("toy")
    for split in ("train", "valid"):
        fbdialog.write(data / f"{split}_self_original.txt", toy())
    return data


@pytest.fixture(scope="session")
def trained(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a variant, trained on the toy set by the command that people use."""
    root = _root(tmp_path_factory)

    def checkpoint(variant: str) -> Path:
        with (root / f"{variant}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / variant).is_dir():
                name, *own = VARIANTS[variant]
                files = ["--data", str(toy_data), "--out", str(root / variant)]
                result = CliRunner().invoke(train, [name, *files, "--threads", "1", *own])
                assert result.exit_code == 0, result.output
        return root / variant

    return checkpoint


def _root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, the same for all processes among which it is divided."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return tmp_path_factory.mktemp("trained")
    root = tmp_path_factory.getbasetemp().parent / "trained"
    root.mkdir(exist_ok=True)
    return root
