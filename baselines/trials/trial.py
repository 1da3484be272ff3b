"""One trial: a baseline is trained, made a submission folder, and scored on a file.

Each step runs in a process of its own, by the commands that people use, and is done once: what
bears the note of today's data, code and options is taken as it is.
"""

import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines.commands import CHECKPOINT, FOLDERS, start
from baselines.trials import notes, process
from baselines.trials.place import Place
from harness.agent import Track
from harness.errors import RostrumError, UsageError
from harness.report import Report

_ROSTRUM = (sys.executable, "-P", "-c", "from harness.cli.main import main; main()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the trials of one command have in common; `further` are options of every training."""

    place: Place
    seed: int = 0
    threads: int = 2
    further: tuple[str, ...] = ()

    def run(self, *command: str) -> int:
        """The exit status of a command."""
        return process.run(command, threads=self.threads, held=(self.place.lock,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A baseline by the name of its entry, and the options of its training."""

    baseline: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A checkpoint, what it was made from, and how long that took.

    `seconds` is the wall time of the whole command, with all its parts where it was stopped in
    between; None where one was killed, and nobody knows.
    """

    recipe: Recipe
    checkpoint: Path
    key: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A submission folder with its checkpoint, and what it was made from."""

    name: str
    folder: Path
    key: str


class TrialError(RostrumError):
    """A step of a trial ended badly; it has said why on standard error."""

    def __init__(self, step: str, status: int) -> None:
        super().__init__(f"{step} ended with exit status {status}", code="trial_failed")


@dataclass(slots=True)
class _Clock:
    """The seconds of each part of a training, kept in its note; None for one that is killed."""

    note: Path
    key: str
    parts: list[float | None] = field(default_factory=list)

    def write(self, seconds: float | None, *, done: bool = False) -> None:
        parts = [*self.parts, seconds]
        notes.write(self.note, key=self.key, parts=parts, done=done)


def train(folder: Path, recipe: Recipe, *, data: Path, bench: Bench) -> Trained:
    """Train a baseline on a folder of data into `folder`, or go on with that.

    `TrialError` where the training fails; what it has said stands on standard error.
    """
    checkpoint, note = folder / CHECKPOINT, folder / "training.json"
    key = _training_key(recipe, data, bench)
    known = notes.read(note, key=key)
    if known is None or (known["done"] and not checkpoint.is_dir()):
        _forget(folder)
        known = {"parts": [], "done": False}
    parts: list[float | None] = known["parts"]
    if not known["done"]:
        parts = _trained(_Clock(note, key, parts), recipe, checkpoint, data=data, bench=bench)
    whole = [part for part in parts if part is not None]
    seconds = sum(whole) if len(whole) == len(parts) else None
    return Trained(recipe=recipe, checkpoint=checkpoint, key=key, seconds=seconds)


def enter(
    folder: Path,
    trained: Trained,
    *,
    changes: Mapping[str, str | int | float | bool | None] | None = None,
) -> Entry:
    """The submission folder of a checkpoint, as `rostrum new` makes it.

    `changes` are options of the agent, such as `scoring.by`, that differ from those it was trained
    with; they are written into the folder's own config.json.
    """
    name = trained.recipe.baseline
    own = notes.code_key(FOLDERS[name], {"harness": (*notes.TRAINS, *notes.SCORES)})
    key = notes.key(trained.key, own, dict(changes or {}))
    place, note = folder / "entry", folder / "entry.json"
    if notes.read(note, key=key) is None or not place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
        start(place, name=name, checkpoint=trained.checkpoint)
        if changes:
            _change(place / CHECKPOINT / "config.json", changes)
        notes.write(note, key=key)
    return Entry(name=name, folder=place, key=key)


def score(entry: Entry, track: Track, *, data: Path, out: Path, bench: Bench) -> Report:
    """The report of an entry on a file of dialogues, written to `out`; `TrialError` if it fails."""
    note, journal = out.with_suffix(".note"), out.with_suffix(".journal")
    key = notes.key(entry.key, track, notes.file_key(data))
    known = notes.read(note, key=key)
    if known is None:
        journal.unlink(missing_ok=True)  # its answers may be another agent's
        notes.write(note, key=key, done=False)
    elif known["done"] and out.is_file():
        return Report.load(out)
    command = [sys.executable, "-B", str(entry.folder / f"eval_{track}.py")]
    command += ["--data", str(data), "--json", str(out), "--resume", str(journal)]
    status = bench.run(*command)
    if status:
        raise TrialError(f"scoring {entry.name} on {track}", status)
    notes.write(note, key=key, done=True)
    return Report.load(out)


def _training_key(recipe: Recipe, data: Path, bench: Bench) -> str:
    return notes.key(
        recipe.baseline,
        recipe.options,
        bench.further,
        bench.seed,
        bench.threads,
        notes.data_key(data),
        notes.code_key(FOLDERS[recipe.baseline], {"harness": notes.TRAINS}),
    )


def _trained(
    clock: _Clock, recipe: Recipe, checkpoint: Path, *, data: Path, bench: Bench
) -> list[float | None]:
    """Run the training; the seconds of all its parts."""
    command = [*_ROSTRUM, "train", recipe.baseline, "--data", str(data), "--out", str(checkpoint)]
    command += ["--seed", str(bench.seed), "--threads", str(bench.threads)]
    clock.note.parent.mkdir(parents=True, exist_ok=True)
    clock.write(None)
    began, status = time.monotonic(), -1
    try:
        status = bench.run(*command, *recipe.options, *bench.further)
    finally:
        seconds = time.monotonic() - began
        clock.write(seconds, done=status == 0)
    if status:
        raise TrialError(f"training {recipe.baseline}", status)
    return [*clock.parts, seconds]


def _forget(folder: Path) -> None:
    """Remove what another training left, so that this one begins anew."""
    for name in (CHECKPOINT, f"{CHECKPOINT}.training"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _change(path: Path, changes: Mapping[str, Any]) -> None:  # Any: plain JSON values
    """Set options in a checkpoint's configuration; `UsageError` for one that it does not have."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *groups, last = name.split(".")
        group = config.get("options", {})
        for part in groups:
            group = group.get(part, {})
        if last not in group:
            raise UsageError(f"{path} holds no option {name}; the baseline has no such option")
        group[last] = value
    path.write_text(json.dumps(config, ensure_ascii=False) + "\n", encoding="utf-8")
