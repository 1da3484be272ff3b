"""An agent learns from a training set: updates, validations, checkpoints, going on after a stop.

It knows no model: an agent's `train_step` and `valid_step` do the work.
"""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

import torch

from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.torch.agent import TorchAgent
from harness.torch.batch import Metrics, Observation
from harness.torch.log import Log
from harness.torch.options import at_least
from harness.torch.training import Progress, bucketed

LAST, BEST, LOG = "last", "best", "log"
"""The folders that `learn` writes in `out`: to go on from, the best validated one, the curves."""

HIGHER = ("hits@1",)
"""Metrics of a validation of which more is better; of all others less is."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to learn: updates of the weights, and minutes if they are fewer.

    `minutes`: of the clock, validations and what an interrupted training has used included; None
    for no bound. `valid_every`, `save_every`: updates between validations and between
    checkpoints, None for the end only. `patience`: validations in a row that are no better than
    the best and end the training, None for never. `select`: the metric of the validation by
    which the best is told.
    """

    updates: int
    minutes: float | None = None
    valid_every: int | None = None
    save_every: int | None = None
    patience: int | None = None
    select: str = "loss"
    name: str = "training"

    def __post_init__(self) -> None:
        at_least("updates", self.updates, 1)
        for name in ("valid_every", "save_every", "patience"):
            at_least(name, getattr(self, name) or 1, 1)
        if self.minutes is not None and not self.minutes > 0:
            raise UsageError(f"the option minutes is {self.minutes}; it must be above 0")


@dataclass(frozen=True)
class Learned:
    """What a training came to: means of the last 50 batches, and of the best validation.

    `best` is the update after which that was, 0 without a validation. `seconds` counts all runs of
    a training that was interrupted.
    """

    updates: int
    trained: dict[str, float]
    validated: dict[str, float]
    best: int
    ended: Literal["done", "minutes", "patience"]
    seconds: float


def examples(agent: TorchAgent, dialogues: Iterable[Dialogue]) -> list[Observation]:
    """Every example of a set as the agent reads it, labelled; its candidates if it wants them."""
    return [
        agent.vectorize(
            dialogue.context(number, context_id=f"{dialogue.id}/{number}"),
            labels=example.replies,
            candidates=example.candidates if agent.reads_candidates else (),
        )
        for dialogue in dialogues
        for number, example in enumerate(dialogue.examples)
    ]


def validate(agent: TorchAgent, observations: Sequence[Observation]) -> Metrics:
    """The agent's metrics on labelled observations, in batches of like length."""
    total = Metrics()
    for places in agent.alike(observations):
        total += agent.valid_step(agent.batchify([observations[place] for place in places]))
    return total


def learn(
    agent: TorchAgent,
    train: Sequence[Observation],
    *,
    plan: Plan,
    valid: Sequence[Observation] = (),
    out: Path | None = None,
) -> Learned:
    """Train until the plan's budget is spent, counted from the agent's first update.

    With `out`, `out/last` holds what training goes on from, `out/best` the agent that validated
    best, `out/log` the curves. An agent of `load(out / "last", resume=True)` goes on to the
    weights that an uninterrupted run of as many updates has. Ctrl-C (or SIGTERM) ends after the
    update, saves and says how to go on. `UsageError` where there is nothing to learn from, the
    loss is no number, or memory does not suffice.
    """
    return _Course(agent, list(train), plan=plan, valid=list(valid), out=out).run()


class _Course:
    """One call of `learn`."""

    def __init__(
        self,
        agent: TorchAgent,
        train: list[Observation],
        *,
        plan: Plan,
        valid: list[Observation],
        out: Path | None,
    ) -> None:
        self.agent, self.plan, self.valid, self.out = agent, plan, valid, out
        self.train = [one for one in train if one.labels and agent.is_valid(one)]
        self.recent: deque[Metrics] = deque(maxlen=50)
        self.before = agent.updates.remarks.get("seconds", 0.0)
        self.began = time.monotonic()
        if not self.train:
            raise UsageError("there is no labelled example to learn from")

    @property
    def seconds(self) -> float:
        """How long this training has taken, with what was before an interruption."""
        return self.before + time.monotonic() - self.began

    def _spent(self) -> float:
        """The share of the budget that is used: of updates or minutes, whichever is more."""
        updates = self.agent.updates.done / self.plan.updates
        minutes = self.plan.minutes
        return updates if minutes is None else max(updates, self.seconds / (60 * minutes))

    def run(self) -> Learned:
        updates, plan = self.agent.updates, self.plan
        if updates.done == 0:
            torch.manual_seed(self.agent.options.seed)
        ended: Literal["done", "minutes", "patience"] = "done"
        updates.spent = self._spent()
        with (
            _stop_asked() as stop,
            Progress(plan.name, plan.updates, done=updates.done, spent=updates.spent) as bar,
            closing(Log(self.out / LOG if self.out else None, after=updates.done)) as log,
        ):
            batches = self._batches(skip=updates.done * updates.options.accumulate)
            while updates.spent < 1:
                seen = self._update(batches)
                updates.spent = self._spent()
                self._say(bar, log, seen=seen)
                if self._due(plan.valid_every) and self._validate(bar, log):
                    ended = "patience"
                    break
                if self._due(plan.save_every) or stop.is_set():
                    self._save()
                if stop.is_set():
                    self._interrupted(bar)
            else:
                ended = "done" if updates.done >= plan.updates else "minutes"
        self._save()
        best = int(updates.remarks.get("best_update", 0))
        return Learned(updates.done, self._trained(), self._best(), best, ended, self.seconds)

    def _batches(self, *, skip: int) -> Iterator[list[int]]:
        options, lengths = self.agent.options, [len(o.text) + len(o.label) for o in self.train]
        order = bucketed(lengths, size=options.batch_size, seed=options.seed)
        return islice(order, skip, None)

    def _update(self, batches: Iterator[list[int]]) -> int:
        """One update of the weights; how many examples it took."""
        seen = 0
        try:
            for places in islice(batches, self.agent.updates.options.accumulate):
                batch = self.agent.batchify([self.train[place] for place in places])
                self.recent.append(self.agent.train_step(batch))
                seen += len(batch)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, MemoryError) or _out_of_memory(error):
                self._out_of_memory(error)
            raise
        return seen

    def _out_of_memory(self, error: Exception) -> NoReturn:
        """Say which batch did not fit, and one that may: half of it, twice as often."""
        options = self.agent.options
        half = max(1, options.batch_size // 2)
        raise UsageError(
            f"out of memory in update {self.agent.updates.done + 1} with batches of "
            f"{options.batch_size} examples on {self.agent.device.type}; try "
            f"batch_size={half} with training.accumulate={2 * options.training.accumulate}",
            code="out_of_memory",
        ) from error

    def _say(self, bar: Progress, log: Log, *, seen: int) -> None:
        means, updates = self._trained(), self.agent.updates
        bar.step(means.get("loss", float("nan")), examples=seen, spent=updates.spent)
        if updates.done % _LOGGED == 0:
            log.write("train", {**means, "rate": updates.rate}, update=updates.done)

    def _trained(self) -> dict[str, float]:
        return sum(self.recent, Metrics()).means()

    def _best(self) -> dict[str, float]:
        """The means of the best validation."""
        remarks = self.agent.updates.remarks.items()
        return {name[5:]: value for name, value in remarks if name.startswith("best:")}

    def _due(self, every: int | None) -> bool:
        """Whether a thing is to be done after this update; all is done after the last."""
        updates = self.agent.updates
        over = updates.spent is not None and updates.spent >= 1
        return over or (every is not None and updates.done % every == 0)

    def _validate(self, bar: Progress, log: Log) -> bool:
        """Hear how good the agent is, keep it if it is the best; whether patience has run out."""
        if not self.valid:
            return False
        updates, means = self.agent.updates, validate(self.agent, self.valid).means()
        self.agent.receive_metrics(means)
        bar.say("validation: " + ", ".join(f"{name} {mean:.4g}" for name, mean in means.items()))
        log.write("valid", means, update=updates.done)
        if self._is_better(means):
            updates.remarks = {f"best:{name}": mean for name, mean in means.items()}
            updates.remarks["best_update"] = float(updates.done)
            if self.out is not None:
                self.agent.save(self.out / BEST)
            return False
        updates.remarks["waited"] = updates.remarks.get("waited", 0) + 1
        patience = self.plan.patience
        return patience is not None and updates.remarks["waited"] >= patience

    def _is_better(self, means: dict[str, float]) -> bool:
        """Whether a validation beats the best so far; of two alike the one of less loss does."""
        select, best = self.plan.select, self._best()
        if select not in means:
            known = ", ".join(means)
            raise UsageError(f"the validation has no {select!r} to select by; known: {known}")
        if select not in best:
            return True
        if means[select] == best[select]:
            return means["loss"] < best["loss"]
        return (means[select] > best[select]) == (select in HIGHER)

    def _save(self) -> None:
        self.agent.updates.remarks["seconds"] = self.seconds
        if self.out is not None:
            self.agent.save(self.out / LAST, resume=True)

    def _interrupted(self, bar: Progress) -> None:
        where = f"; {self.out / LAST} holds what it goes on from" if self.out else ""
        bar.say(f"stopped after update {self.agent.updates.done:,}{where}")
        raise KeyboardInterrupt


_LOGGED = 10  # updates between two points of the training's curves


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says so: of CUDA by a class of its own, of the processor in words only."""
    words = ("not enough memory", "can't allocate memory", "out of memory")
    return any(text in str(error).lower() for text in words)


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; only a second one breaks into an update."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def hear(_number: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    former = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
