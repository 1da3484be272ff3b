"""`rostrum train` and `rostrum new`: from data to a checkpoint to a folder that can be submitted.

A baseline is a submission folder, not a package: its train.py runs in a process of its own, with
its own folder first on the path, as the sandbox runs its track files.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

import baselines
from harness.errors import RostrumError, UsageError
from harness.files import whole_folder

FOLDERS = {
    "ranker": "ranker",
    "kvmemnn": "kvmemnn",
    "seq2seq": "seq2seq",
    "lm": "lm",
    "tfidf-retrieval": "tfidf_retrieval",
    "repeat-partner": "repeat_partner",
    "random-reply": "random_reply",
    "constant-words": "constant_words",
    "word-frequency": "word_frequency",
}
"""The baselines by the name of their entry, and where they lie beside this file."""

CHECKPOINT = "checkpoint"
"""The folder in a submission from which a baseline's agent loads itself."""

IGNORED = "__pycache__/\n*.training/\n"
"""What git shall leave out of a submission: what Python and `rostrum train` keep beside it."""

_NAMES = click.Choice(list(FOLDERS))
_FOLDER = click.Path(path_type=Path)


@click.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@click.argument("name", type=_NAMES)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="--data DIR [OPTION]...")
def train(name: str, arguments: tuple[str, ...]) -> None:
    """Train baseline NAME; `rostrum train NAME --help` shows its options.

    The checkpoint stands in --out once the training is over. A training that was stopped, by
    Ctrl-C or otherwise, goes on by the same command.
    """
    code = run(name, arguments)
    if code == INTERRUPTED:
        raise click.exceptions.Exit(code)
    if code != 0:
        raise TrainingFailedError(name, code)


INTERRUPTED = 130
"""The exit status of a training that was asked to stop, and has stored what it goes on from."""


def run(name: str, arguments: Sequence[str]) -> int:
    """Run a baseline's train.py in a process of its own; its exit status.

    A stop asked of us is asked of it, once: it ends after the update that it is at.
    """
    command = [sys.executable, str(folder(name) / "train.py"), *arguments]
    variables = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONDONTWRITEBYTECODE": "1"}
    # in a group of its own, so that a terminal's Ctrl-C reaches it through us alone
    process = subprocess.Popen(command, env=variables, process_group=0)  # noqa: S603

    def hand_on(number: int, _frame: object) -> None:
        process.send_signal(signal.SIGINT if number != signal.SIGTERM else number)

    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    main = threading.current_thread() is threading.main_thread()
    former = {number: signal.signal(number, hand_on) for number in asked} if main else {}
    try:
        return process.wait()
    finally:
        process.kill()
        for number, handler in former.items():
            signal.signal(number, handler)


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
    with whole_folder(directory.resolve()) as fresh:
        ignored = shutil.ignore_patterns("__pycache__", ".*", CHECKPOINT)
        shutil.copytree(folder(name), fresh, ignore=ignored, dirs_exist_ok=True)
        (fresh / ".gitignore").write_text(IGNORED, encoding="utf-8")
        if checkpoint is not None:
            shutil.copytree(checkpoint, fresh / CHECKPOINT)


class TrainingFailedError(RostrumError):
    """A baseline's train.py ended badly; it has said why on standard error."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"training {name} failed", code="training_failed")
        self.exit_code = code if code > 0 else 1
