"""`rostrum train` and `rostrum new`: from data to a checkpoint to a folder that can be submitted.

A baseline is a submission folder, not a package: its train.py runs in a process of its own, with
its own folder first on the path, as the sandbox runs its track files.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

import baselines
from harness.errors import RostrumError, UsageError

FOLDERS = {
    "ranker": "ranker",
    "kvmemnn": "kvmemnn",
    "seq2seq": "seq2seq",
    "constant-words": "constant_words",
    "word-frequency": "word_frequency",
}
"""The baselines by the name of their entry, and where they lie beside this file."""

CHECKPOINT = "checkpoint"
"""The folder in a submission from which a baseline's agent loads itself."""

_NAMES = click.Choice(list(FOLDERS))
_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("name", type=_NAMES)
@click.option("--data", type=_FOLDER, required=True, help="Folder with train_self_original.txt.")
@click.option("--out", type=_FOLDER, required=True, help="The checkpoint folder to write.")
@click.option("--steps", type=click.IntRange(1), help="Steps to take instead of the recipe's.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all chance.")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads to use."
)
def train(name: str, data: Path, out: Path, *, steps: int | None, seed: int, threads: int) -> None:
    """Train baseline NAME on the training split in --data and write its checkpoint to --out.

    The same data, steps, seed and threads give the same checkpoint on the same machine.
    constant-words and word-frequency only count, and need neither steps nor seed.
    """
    command = [sys.executable, "train.py", "--data", str(data.resolve())]
    command += ["--out", str(out.resolve()), "--seed", str(seed), "--threads", str(threads)]
    if steps is not None:
        command += ["--steps", str(steps)]
    variables = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(command, cwd=folder(name), env=variables) as process:  # noqa: S603
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code != 0:
        raise TrainingFailedError(name, code)
    click.echo(f"{name}: checkpoint in {out}")


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--like", "name", type=_NAMES, required=True, help="The baseline to copy.")
@click.option("--checkpoint", type=_FOLDER, help="A checkpoint to take along.")
def new(directory: Path, *, name: str, checkpoint: Path | None) -> None:
    """Make DIRECTORY a submission folder like a baseline, ready to be changed and submitted."""
    start(directory, name=name, checkpoint=checkpoint)
    click.echo(f"{directory}: a submission like {name}")
    if checkpoint is None:
        click.echo(f"next: rostrum train {name} --data DIR --out {directory / CHECKPOINT}")


def folder(name: str) -> Path:
    """Where a baseline's files lie."""
    return Path(baselines.__file__).parent / FOLDERS[name]


def start(directory: Path, *, name: str, checkpoint: Path | None = None) -> None:
    """Copy a baseline's files, and a checkpoint, to a new directory: whole or not at all.

    `UsageError` where the directory is not empty or there is no such checkpoint.
    """
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UsageError(f"{directory} exists and is not an empty folder; choose another")
    if checkpoint is not None and not (checkpoint.is_dir() and any(checkpoint.glob("*.json"))):
        raise UsageError(
            f"{checkpoint} is not a checkpoint; make one with "
            f"`rostrum train {name} --data DIR --out {checkpoint}`"
        )
    target = directory.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        fresh = Path(scratch) / "fresh"
        shutil.copytree(
            folder(name), fresh, ignore=shutil.ignore_patterns("__pycache__", ".*", CHECKPOINT)
        )
        if checkpoint is not None:
            shutil.copytree(checkpoint, fresh / CHECKPOINT)
        if target.exists():
            target.rmdir()
        fresh.rename(target)


class TrainingFailedError(RostrumError):
    """A baseline's train.py ended badly; it has said why on standard error."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"training {name} failed", code="training_failed")
        self.exit_code = code if code > 0 else 1
