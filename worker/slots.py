"""The slots of a worker process: each queue of attempts has its own, so none starves the other.

A hint wakes a slot, no more: which attempt is next, the ledger says, in the order that is fair to
the teams. A hint that finds no free slot is dropped, and a slot that becomes free asks what else
waits. Now and then an idle slot asks by itself, for its hint may have gone to another worker, one
that was busy: so nothing waits long while a worker is idle, even without a broker. What wants a
GPU has one slot apart, that of the device: nobody holds a lease, and its deadlines, only to wait
for it.
"""

from collections.abc import Iterable
from threading import BoundedSemaphore

from leaderboard import ledger
from leaderboard.states import Queue
from worker.attempt import attend_next
from worker.workplace import Workplace

ROUNDS = 10
"""How often one hint looks again for what came while its slot was about to be free."""


class Slots:
    """`each` attempts at a time from each of `queues`, and one more on the device."""

    def __init__(self, workplace: Workplace, *, queues: Iterable[Queue], each: int) -> None:
        self._workplace = workplace
        self._free = {(queue, False): BoundedSemaphore(each) for queue in queues}
        if workplace.gpu is not None:
            device = BoundedSemaphore()
            self._free |= {(queue, True): device for queue, _ in tuple(self._free)}

    def serve(self, queue: Queue, attempt_id: int) -> None:
        """Work on what waits in the queue of this attempt, if a slot is free, until it is empty."""
        self.empty(queue, gpu=ledger.wants_gpu(self._workplace.db, attempt_id))

    def wanted(self) -> list[tuple[Queue, bool]]:
        """The queues, and whether of the device's, that have an attempt and here a free slot."""
        db, taker = self._workplace.db, self._workplace.name
        return [
            (queue, gpu)
            for (queue, gpu), free in self._free.items()
            if _is_free(free) and ledger.is_any(db, queue, worker=taker, gpu=(gpu,))
        ]

    def empty(self, queue: Queue, *, gpu: bool) -> None:
        """Work on what waits in this queue, if a slot is free, until it is empty."""
        workplace = self._workplace
        free = self._free.get((queue, gpu))
        if free is None:
            return
        queues = self._sharing(queue, gpu=gpu)
        for _ in range(ROUNDS):
            if not free.acquire(blocking=False):
                return
            try:
                while any(attend_next(workplace, one, gpu=gpu) for one in queues):
                    pass
            finally:
                free.release()
            if workplace.shutdown.is_set():
                return
            taker = workplace.name
            if not any(ledger.is_any(workplace.db, q, worker=taker, gpu=(gpu,)) for q in queues):
                return

    def _sharing(self, queue: Queue, *, gpu: bool) -> tuple[Queue, ...]:
        """The queues that share the slot of this one, in the order in which they are served: on
        the device a preflight, which is short, goes before a scored run."""
        if not gpu:
            return (queue,)
        return tuple(one for one in Queue if (one, True) in self._free)


def _is_free(slot: BoundedSemaphore) -> bool:
    """Whether somebody could take it now."""
    if not slot.acquire(blocking=False):
        return False
    slot.release()
    return True


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
