"""Each queue has slots of its own; a free slot finds what waits without a hint."""

import threading

import pytest

from leaderboard import ledger
from leaderboard.states import Queue
from worker import slots as module
from worker.slots import Slots


class House:
    """Attempts that wait, and a record of who worked on what; `gate` holds the work up."""

    def __init__(self, *waiting: ledger.Hint) -> None:
        self.waiting = list(waiting)
        self.done: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.shutdown = threading.Event()
        self.db = None

    def attend(self, _: object, attempt_id: int) -> bool:
        found = [hint for hint in self.waiting if hint.attempt_id == attempt_id]
        if not found:
            return False
        self.waiting.remove(found[0])
        self.begun.set()
        assert self.gate.wait(10)
        self.done.append(attempt_id)
        return True


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(*(ledger.Hint(n, Queue.PREFLIGHT) for n in (1, 2, 3)))
    made.waiting.append(ledger.Hint(9, Queue.EVALUATE))
    monkeypatch.setattr(module, "attend", made.attend)
    monkeypatch.setattr(module.ledger, "waiting", lambda db: list(made.waiting))
    return made


def slots(house: House, *queues: Queue) -> Slots:
    return Slots(house, queues=queues or tuple(Queue), each=1)  # type: ignore[arg-type]  # a fake


def test_one_hint_is_enough_for_all_that_waits_in_its_queue(house: House) -> None:
    slots(house).serve(Queue.PREFLIGHT, 2)
    assert house.done == [2, 1, 3]


def test_a_hint_without_a_free_slot_is_dropped_and_the_other_queue_goes_on(house: House) -> None:
    made = slots(house)
    house.gate.clear()
    busy = threading.Thread(target=made.serve, args=(Queue.PREFLIGHT, 1))
    busy.start()
    assert house.begun.wait(5)
    made.serve(Queue.PREFLIGHT, 2)
    assert house.done == []
    other = threading.Thread(target=made.serve, args=(Queue.EVALUATE, 9))
    other.start()
    house.gate.set()
    for thread in (busy, other):
        thread.join(timeout=10)
    assert sorted(house.done) == [1, 2, 3, 9]


def test_a_queue_that_is_not_ours_is_left_alone(house: House) -> None:
    slots(house, Queue.EVALUATE).serve(Queue.PREFLIGHT, 1)
    assert house.done == []


def test_nothing_new_begins_after_a_shutdown(house: House) -> None:
    house.shutdown.set()
    slots(house).serve(Queue.PREFLIGHT, 1)
    assert house.done == [1]


def test_an_error_gives_the_slot_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = slots(house)

    def fail(*_: object) -> bool:
        raise OSError("the database is away")

    monkeypatch.setattr(module, "attend", fail)
    with pytest.raises(OSError, match="away"):
        made.serve(Queue.PREFLIGHT, 1)
    monkeypatch.setattr(module, "attend", house.attend)
    made.serve(Queue.PREFLIGHT, 1)
    assert house.done[0] == 1
