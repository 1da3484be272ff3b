"""The time an agent may take: a limit for each batch, a bank that all share, a total."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch's absolute deadline (`time.monotonic`), and the verdict if it passes."""

    deadline: float
    late: str


class Budget:
    """Counts from its making. Seconds: `batch` for each, `bank` more for all, `total` for the run.

    A batch that takes longer than `batch` draws on the bank; its deadline is when the bank would
    be empty, or the end of the total if that is sooner.
    """

    def __init__(self, *, batch: float, bank: float, total: float):
        self.bank = bank
        self._batch = batch
        self._end = time.monotonic() + total

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """The limits of one batch, which lasts as long as the block."""
        start = time.monotonic()
        deadline = start + self._batch + self.bank
        if self._end < deadline:
            yield Batch(self._end, "total_timeout")
        else:
            yield Batch(deadline, "batch_timeout")
        overdrawn = time.monotonic() - start - self._batch
        self.bank = max(0.0, self.bank - max(0.0, overdrawn))
