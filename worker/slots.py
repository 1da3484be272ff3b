"""The slots of a worker process: each queue of attempts has its own, so none starves the other.

A hint that finds no free slot is dropped. A slot that becomes free asks the ledger what else
waits in its queue, so nothing waits for the next sweep while a worker is idle.
"""

import logging
from collections.abc import Iterable
from threading import BoundedSemaphore

from leaderboard import ledger
from leaderboard.states import Queue
from worker.attempt import attend
from worker.workplace import Workplace

_log = logging.getLogger(__name__)


class Slots:
    """`each` attempts at a time from each of `queues`."""

    def __init__(self, workplace: Workplace, *, queues: Iterable[Queue], each: int) -> None:
        self._workplace = workplace
        self._free = {queue: BoundedSemaphore(each) for queue in queues}

    def serve(self, queue: Queue, attempt_id: int) -> None:
        """Work on the attempt and then on whatever else waits in the queue, if a slot is free."""
        free = self._free.get(queue)
        if free is None or not free.acquire(blocking=False):
            return
        try:
            attend(self._workplace, attempt_id)
            while self._next(queue):
                pass
        finally:
            free.release()

    def _next(self, queue: Queue) -> bool:
        """Work on the first waiting attempt that nobody else takes; False if there is none."""
        if self._workplace.shutdown.is_set():
            return False
        hints = [hint for hint in ledger.waiting(self._workplace.db) if hint.queue is queue]
        return any(self._try(hint.attempt_id) for hint in hints)

    def _try(self, attempt_id: int) -> bool:
        return attend(self._workplace, attempt_id)


_current: Slots | None = None


def current() -> Slots:
    """The slots of this process."""
    if _current is None:
        raise RuntimeError("tasks run in `rostrum worker` only")
    return _current


def occupy(slots: Slots) -> None:
    """Make these the slots that the tasks of this process use."""
    global _current  # noqa: PLW0603  # Celery calls its tasks by name, without a place for state
    _current = slots
