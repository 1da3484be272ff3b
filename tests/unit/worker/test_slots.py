"""Each queue has slots of its own; a hint wakes one, and the ledger says what is next."""

import threading

import pytest

from leaderboard import ledger
from leaderboard.states import Queue
from worker import slots as module
from worker.slots import Slots

CPU = {1: (Queue.PREFLIGHT, False), 2: (Queue.PREFLIGHT, False), 3: (Queue.PREFLIGHT, False)}


class House:
    """Attempts that wait, and a record of who worked on what; `gate` holds the work up."""

    name = "w1"
    db = None

    def __init__(self, waiting: dict[int, tuple[Queue, bool]], *, gpu: str | None = None) -> None:
        self.waiting = dict(waiting)
        self.kinds = dict(waiting)
        self.gpu = gpu
        self.done: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.shutdown = threading.Event()

    def attend_next(self, _: object, queue: Queue, *, gpu: bool) -> bool:
        found = [number for number, kind in self.waiting.items() if kind == (queue, gpu)]
        if not found or self.shutdown.is_set():
            return False
        del self.waiting[found[0]]
        self.begun.set()
        assert self.gate.wait(10)
        self.done.append(found[0])
        return True

    def is_any(self, _: object, queue: Queue, *, worker: str, gpu: tuple[bool, ...]) -> bool:
        assert worker == self.name
        return (queue, *gpu) in self.waiting.values()

    def wants_gpu(self, _: object, attempt_id: int) -> bool:
        return self.kinds[attempt_id][1]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    return opened(House(CPU | {9: (Queue.EVALUATE, False)}), monkeypatch)


def opened(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(module, "attend_next", house.attend_next)
    for name in ("is_any", "wants_gpu"):
        monkeypatch.setattr(ledger, name, getattr(house, name))
    return house


def slots(house: House, *queues: Queue) -> Slots:
    return Slots(house, queues=queues or tuple(Queue), each=1)  # type: ignore[arg-type]  # a fake


def test_one_hint_is_enough_for_all_that_waits_in_its_queue_in_its_order(house: House) -> None:
    slots(house).serve(Queue.PREFLIGHT, 2)
    assert house.done == [1, 2, 3]


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


def test_what_came_while_the_slot_was_about_to_be_free_is_not_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own hint found the slot taken and was dropped."""
    late = iter([False])

    def attend_next(*arguments: object, **named: bool) -> bool:
        return next(late, None) is None and house.attend_next(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "attend_next", attend_next)
    slots(house).serve(Queue.PREFLIGHT, 1)
    assert house.done == [1, 2, 3]


def test_a_queue_that_is_not_ours_is_left_alone(house: House) -> None:
    slots(house, Queue.EVALUATE).serve(Queue.PREFLIGHT, 1)
    assert house.done == []


def test_what_wants_a_gpu_has_a_slot_apart_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = {
        1: (Queue.EVALUATE, True),
        2: (Queue.PREFLIGHT, True),
        **{3: (Queue.EVALUATE, False)},
    }
    without = opened(House(waiting), monkeypatch)
    slots(without).serve(Queue.EVALUATE, 1)
    assert without.done == []
    house = opened(House(waiting, gpu="0"), monkeypatch)
    made = slots(house)
    house.gate.clear()
    threads = [threading.Thread(target=made.serve, args=(waiting[n][0], n)) for n in (1, 3)]
    for thread in threads:
        thread.start()
    while len(house.waiting) > 1:
        house.begun.wait(0.01)
    made.serve(Queue.EVALUATE, 1)  # the device is taken: no lease is held only to wait for it
    assert list(house.waiting) == [1]
    house.gate.set()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(house.done) == [1, 2, 3]
    assert house.done.index(2) < house.done.index(1), "the preflight goes first"


def test_nothing_new_begins_after_a_shutdown(house: House) -> None:
    house.shutdown.set()
    slots(house).serve(Queue.PREFLIGHT, 1)
    assert house.done == []


def test_an_error_gives_the_slot_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = slots(house)

    def fail(*_: object, **__: object) -> bool:
        raise OSError("the database is away")

    monkeypatch.setattr(module, "attend_next", fail)
    with pytest.raises(OSError, match="away"):
        made.serve(Queue.PREFLIGHT, 1)
    monkeypatch.setattr(module, "attend_next", house.attend_next)
    made.serve(Queue.PREFLIGHT, 1)
    assert house.done[0] == 1
