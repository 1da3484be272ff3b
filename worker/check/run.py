"""The dry run: a folder goes the server's way, from its tree to the answers of every track."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from harness.agent import Track
from harness.errors import OperatorError, SubmissionError, UsageError
from harness.evaluation import PUBLIC_SECRET
from harness.submission import CHAT_ORDER, entry_name, wants_gpu
from worker.check import notes
from worker.check.data import PublicData
from worker.check.folder import Bounds, Copied, Folder, copy
from worker.check.rules import Rules
from worker.check.steps import Outcome, Step, failed
from worker.check.watch import Watch
from worker.entry import device_wanted, entered
from worker.exam import Questions, Seat, cell_limits, log_text, sit
from worker.fetch.store import remove
from worker.images import Runtime, prepare_environment
from worker.place import Place
from worker.sandbox import Sandbox
from worker.stopped import Stopped

COPY_SECONDS = 24 * 3600.0
"""After so long the copy of a check that was killed is swept away."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a check runs: a sandbox of this machine with its runtime, and its device, if any."""

    sandbox: Sandbox
    runtime: Runtime
    place: Place
    gpu: str | None = None


class Audience(Protocol):
    """Who is told as the check goes."""

    def begins(self, what: str) -> None:
        """Something that may take a while begins."""

    def tell(self, line: str) -> None:
        """A line of what goes on inside it."""

    def done(self, step: Step) -> None:
        """A step is over."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What is checked (`folder`), where, by which rules, on which data.

    `only` names the tracks to ask; empty: all that are entered.
    """

    folder: Folder
    ground: Ground
    rules: Rules
    data: PublicData
    only: tuple[Track, ...]
    audience: Audience
    watch: Watch = field(default_factory=Watch)

    def steps(self) -> list[Step]:
        """Every step, each told when it is over. One that fails is the last one, but for tracks:
        each is asked. The copy and the cells are gone on every way out; `Stopped` if the watch was
        ended."""
        cell = self.ground.place.new_cell(f"check-{os.getpid()}", seconds=COPY_SECONDS)
        found: list[Step] = []
        try:
            for step in self._steps(cell / "tree"):
                found.append(step)
                self.audience.done(step)
        finally:
            remove(cell)
        return found

    def _steps(self, tree: Path) -> Iterator[Step]:
        way = ("tree", self._tree), ("entry", self._entry), ("requirements", self._requirements)
        environment: list[Path] = []
        for name, part in way:
            step = self._timed(name, partial(part, tree, environment))
            yield step
            if step.outcome is Outcome.FAILED:
                return
        tracks = self._tracks(tree)
        seat = self._seat(tree, environment[0] if environment else None)
        chat = next((track for track in CHAT_ORDER if track in tracks), None)
        for track in self.rules.competition.tracks:
            if track in tracks:
                yield self._timed(track, partial(self._track, seat, track, chat))
            else:
                yield Step(track, Outcome.NOT_ENTERED, notes.not_entered(track, tree))

    def _timed(self, name: str, work: Callable[[], Step]) -> Step:
        if self.watch.stop.is_set():
            raise Stopped
        self.audience.begins(name)
        start = time.monotonic()
        try:
            step = work()
        except (SubmissionError, OperatorError) as error:
            step = failed(name, error, log=getattr(error, "log", ""))
        return replace(step, seconds=time.monotonic() - start)

    def _tree(self, tree: Path, _: list[Path]) -> Step:
        limits = self.rules.competition.limits
        bounds = Bounds(
            max_bytes=int(limits["repo_bytes"]),
            max_files=int(limits["repo_files"]),
            large_bytes=int(limits["large_bytes"]),
        )
        copied: Copied = copy(self.folder, tree, bounds=bounds)
        told = notes.of_tree(self.folder)
        outcome = Outcome.WARNED if told else Outcome.PASSED
        return Step("tree", outcome, notes.tree_line(copied, bounds), told)

    def _entry(self, tree: Path, _: list[Path]) -> Step:
        competition = self.rules.competition
        tracks = entered(tree, offered=competition.tracks)
        gpu = device_wanted(tree, allowed=competition.gpu or not self.rules.known)
        name = entry_name(tree, default=self.folder.root.resolve().name)
        told = notes.of_entry(tree, self.rules, wanted=gpu, gpu=self.ground.gpu)
        outcome = Outcome.WARNED if told else Outcome.PASSED
        return Step("entry", outcome, notes.entry_line(name, tracks, gpu=gpu), told)

    def _requirements(self, tree: Path, environment: list[Path]) -> Step:
        made = prepare_environment(
            tree / "requirements.txt",
            runtime=self.ground.runtime,
            place=self.ground.place,
            build=self.rules.competition.build,
            sandbox=self.ground.sandbox,
            tell=self.audience.tell,
            stop=self.watch.stop,
        )
        if made is None:
            return Step("requirements", Outcome.PASSED, notes.no_requirements(tree))
        environment.append(made.path)
        return Step("requirements", Outcome.PASSED, notes.packages(made.packages), log=made.log)

    def _tracks(self, tree: Path) -> tuple[Track, ...]:
        """What is asked; `UsageError` where `only` names a track that is not entered."""
        tracks = entered(tree, offered=self.rules.competition.tracks)
        if missing := [track for track in self.only if track not in tracks]:
            raise UsageError(
                f"{self.folder.root} has no eval_{missing[0]}.py; it enters: {', '.join(tracks)}"
            )
        return tuple(track for track in tracks if not self.only or track in self.only)

    def _seat(self, tree: Path, environment: Path | None) -> Seat:
        return Seat(
            sandbox=self.ground.sandbox,
            code=tree,
            environment=environment,
            limits=cell_limits(self.rules.competition.limits),
            house=secrets.token_hex(4),
            worker="check",
            gpu=self.ground.gpu if wants_gpu(tree) else None,
            turns=self.ground.place.slots,
        )

    def _track(self, seat: Seat, track: Track, chat: Track | None) -> Step:
        name = f"rostrum-check-{os.getpid()}-{track}-{seat.house}"
        job = seat.cell(name, track, fence=1, keep_log=True)
        words = self.data.vocabulary
        zero = self.rules.competition.zero
        questions = Questions(self.data.dialogues, words, zero, PUBLIC_SECRET, None)
        result = sit(self.watch, seat, job, track, questions, greet=track == chat)
        if result.error is not None:
            step = failed(track, result.error, log=log_text(track, result))
            return replace(step, peak=result.peak)
        assert result.report is not None
        told = notes.of_track(
            result.report,
            seat.limits,
            peak=result.peak,
            talks=result.talks,
            whole=self.data.examples,
        )
        return Step(
            track,
            Outcome.WARNED if told else Outcome.PASSED,
            notes.track_line(result.report),
            told,
            log=result.exit.log,
            report=result.report,
            peak=result.peak,
            talks=result.talks,
        )
