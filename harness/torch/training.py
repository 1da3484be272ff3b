"""What surrounds a training loop: repeatable chance, the order of examples, progress to look at."""

import random
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


def prepare(*, seed: int, threads: int) -> None:
    """Make what follows repeatable: the same seed, threads and machine give the same weights."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    # a debugging aid that costs half the time; mypy does not see a module's property
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010


def batches(count: int, *, size: int, seed: int) -> Iterator[list[int]]:
    """Batches of example numbers without end, each epoch in an order of its own.

    A set smaller than `size` is one batch.
    """
    rng = random.Random(seed)  # noqa: S311  an order, not a secret
    size = min(size, count)
    while True:
        order = list(range(count))
        rng.shuffle(order)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def bucketed(
    lengths: Sequence[int], *, size: int, seed: int, pool: int = 16
) -> Iterator[list[int]]:
    """Like `batches`, with examples of like length together: little padding, little waste."""
    rng = random.Random(seed)  # noqa: S311  an order, not a secret
    for numbers in batches(len(lengths), size=min(size * pool, len(lengths)), seed=seed):
        numbers.sort(key=lambda number: lengths[number])
        starts = list(range(0, len(numbers), size))
        rng.shuffle(starts)
        for start in starts:
            yield numbers[start : start + size]


class Progress:
    """How far a training is: a bar in a terminal, else a line every few seconds."""

    SECONDS = 5.0

    def __init__(self, name: str, updates: int, *, done: int = 0, spent: float = 0.0) -> None:
        self.console = Console(stderr=True)
        self.name, self.updates, self.done, self.seen = name, updates, done, 0
        self.first = spent  # the share of the budget at the start
        self.began = self.said = time.monotonic()
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("update {task.fields[done]:,} of {task.fields[updates]:,}"),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("{task.fields[speed]:,.0f} examples/s"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(
            name, total=1.0, done=done, updates=updates, loss=float("nan"), speed=0.0
        )
        self.bar.update(self.task, completed=spent)

    def step(self, loss: float, *, examples: int, spent: float | None = None) -> None:
        """One update more, with the mean loss of late; `spent` is the share of the budget."""
        now = time.monotonic()
        self.done, self.seen = self.done + 1, self.seen + examples
        spent = min(1.0, self.done / self.updates if spent is None else spent)
        speed = self.seen / max(now - self.began, 1e-9)
        self.bar.update(self.task, completed=spent, done=self.done, loss=loss, speed=speed)
        late = now - self.said >= self.SECONDS or spent == 1
        if late and not self.console.is_terminal:
            self.said = now
            left = (now - self.began) / max(spent - self.first, 1e-9) * (1 - spent)
            self.say(
                f"update {self.done:,} of {self.updates:,}, loss {loss:.3f}, "
                f"{speed:,.0f} examples/s, {left:.0f} s left"
            )

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        self.bar.console.print(f"{self.name}: {line}", highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
