"""An agent learns from a training set: updates, validations, checkpoints, going on after a stop.

It knows no model: an agent's `train_step` and `valid_step` do the work.
"""

import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import torch

from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.torch.agent import TorchAgent
from harness.torch.batch import Metrics, Observation
from harness.torch.options import at_least
from harness.torch.training import Progress, bucketed

LAST, BEST = "last", "best"
"""The folders that `learn` writes in `out`: to go on from, and the best validated one."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to learn, counted in updates of the weights.

    `valid_every`, `save_every`: updates between validations and between checkpoints, None for
    the end only. `patience`: validations in a row without a lower loss that end the training,
    None for never.
    """

    updates: int
    valid_every: int | None = None
    save_every: int | None = None
    patience: int | None = None
    name: str = "training"

    def __post_init__(self) -> None:
        at_least("updates", self.updates, 1)
        for name in ("valid_every", "save_every", "patience"):
            at_least(name, getattr(self, name) or 1, 1)


@dataclass(frozen=True)
class Learned:
    """What a training came to: means of the last 50 batches, and of the best validation."""

    updates: int
    trained: dict[str, float]
    validated: dict[str, float]
    ended: Literal["done", "patience"]


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
    """Train until `plan.updates` are done, counted from the agent's first.

    With `out`, `out/last` holds what training goes on from, and `out/best` the agent with the
    lowest validation loss. An agent of `load(out / "last", resume=True)` goes on to the weights
    that an uninterrupted run has. Ctrl-C ends after the update, saves and says how to go on.
    `UsageError` where there is nothing to learn from, or the loss is no number.
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
        if not self.train:
            raise UsageError("there is no labelled example to learn from")

    def run(self) -> Learned:
        updates, plan = self.agent.updates, self.plan
        if updates.done == 0:
            torch.manual_seed(self.agent.options.seed)
        batches = self._batches(skip=updates.done * updates.options.accumulate)
        ended: Literal["done", "patience"] = "done"
        with _stop_asked() as stop, Progress(plan.name, plan.updates, done=updates.done) as bar:
            while updates.done < plan.updates:
                seen = self._update(batches)
                bar.step(self._trained().get("loss", float("nan")), examples=seen)
                if self._due(plan.valid_every) and self._validate(bar):
                    ended = "patience"
                    break
                if self._due(plan.save_every) or stop.is_set():
                    self._save()
                if stop.is_set():
                    self._interrupted(bar)
        self._save()
        best = {
            name.partition(":")[2]: value
            for name, value in updates.remarks.items()
            if name.startswith("best:")
        }
        return Learned(updates.done, self._trained(), best, ended)

    def _batches(self, *, skip: int) -> Iterator[list[int]]:
        options, lengths = self.agent.options, [len(one.text) for one in self.train]
        order = bucketed(lengths, size=options.batch_size, seed=options.seed)
        return islice(order, skip, None)

    def _update(self, batches: Iterator[list[int]]) -> int:
        """One update of the weights; how many examples it took."""
        seen = 0
        for places in islice(batches, self.agent.updates.options.accumulate):
            batch = self.agent.batchify([self.train[place] for place in places])
            self.recent.append(self.agent.train_step(batch))
            seen += len(batch)
        return seen

    def _trained(self) -> dict[str, float]:
        return sum(self.recent, Metrics()).means()

    def _due(self, every: int | None) -> bool:
        """Whether a thing is to be done after this update; all is done after the last."""
        done = self.agent.updates.done
        return done >= self.plan.updates or (every is not None and done % every == 0)

    def _validate(self, bar: Progress) -> bool:
        """Hear how good the agent is, keep it if it is the best; whether patience has run out."""
        if not self.valid:
            return False
        updates, means = self.agent.updates, validate(self.agent, self.valid).means()
        self.agent.receive_metrics(means)
        bar.say("validation: " + ", ".join(f"{name} {mean:.4g}" for name, mean in means.items()))
        if means["loss"] < updates.remarks.get("best:loss", float("inf")):
            updates.remarks = {f"best:{name}": mean for name, mean in means.items()}
            if self.out is not None:
                self.agent.save(self.out / BEST)
            return False
        updates.remarks["waited"] = updates.remarks.get("waited", 0) + 1
        patience = self.plan.patience
        return patience is not None and updates.remarks["waited"] >= patience

    def _save(self) -> None:
        if self.out is not None:
            self.agent.save(self.out / LAST, resume=True)

    def _interrupted(self, bar: Progress) -> None:
        where = f"; {self.out / LAST} holds what it goes on from" if self.out else ""
        bar.say(f"stopped after update {self.agent.updates.done:,}{where}")
        raise KeyboardInterrupt


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, instead of breaking into an update; a second Ctrl-C breaks in."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def hear(_number: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    former = signal.signal(signal.SIGINT, hear)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, former)
