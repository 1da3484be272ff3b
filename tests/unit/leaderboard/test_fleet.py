"""Workers announce themselves; two lost attempts take one out of service until it is resumed."""

import pytest
from house import House

from harness.errors import UsageError
from leaderboard import fleet, ledger
from leaderboard.states import Queue, channel
from leaderboard.waiting import silence


def announce(
    house: House, name: str = "w1", *, slots: int = 2, gpu: str | None = None
) -> str | None:
    kinds = (False, True) if gpu else (False,)
    queues = [channel(queue, gpu=kind) for queue in Queue for kind in kinds]
    return fleet.announce(house.db, name, queues=queues, slots=slots, gpu=gpu, version="0.1.0")


def member(house: House, name: str = "w1") -> fleet.Member:
    return next(one for one in fleet.listing(house.db) if one.name == name)


def lose(house: House, attempt: int, worker: str) -> ledger.Swept:
    house.lease(attempt, worker=worker)
    house.clock.tick(seconds=91)
    return ledger.sweep(house.db)


def slots(house: House, name: str) -> int:
    with house.db.read() as session:
        return fleet.slots(session, name)


def test_a_worker_is_alive_while_it_is_seen(house: House) -> None:
    announce(house)
    work = house.lease(house.accept())
    assert member(house).attempts == (work.attempt_id,)
    house.clock.tick(seconds=80)
    fleet.seen(house.db, "w1")
    house.clock.tick(seconds=80)
    assert member(house).alive
    house.clock.tick(seconds=11)
    assert not member(house).alive
    fleet.seen(house.db, "nobody")
    assert len(fleet.listing(house.db)) == 1


def test_one_that_ends_is_gone_but_what_is_held_against_it_stays(house: House) -> None:
    announce(house)
    announce(house, "w2")
    lose(house, house.accept(), "w2")
    for name in ("w1", "w2"):
        fleet.left(house.db, name)
    assert [(one.name, one.losses) for one in fleet.listing(house.db)] == [("w2", 1)]
    announce(house, "w2")
    assert member(house, "w2").losses == 1


def test_two_losses_drain_a_worker_and_a_restart_does_not_help(house: House) -> None:
    announce(house)
    assert lose(house, house.accept("owls"), "w1").drained == ()
    swept = lose(house, house.accept("crows"), "w1")
    assert swept.drained == ("w1",)
    assert "by its silence 2 times" in (member(house).drain_reason or "")
    assert announce(house) == member(house).drain_reason
    assert ledger.lease(house.db, 1, worker="w1") is None
    house.lease(1, worker="w2")
    assert fleet.resume(house.db, "w1")
    assert member(house).losses == 0
    house.lease(2, worker="w1")


def test_what_is_lost_at_one_moment_counts_once(house: House) -> None:
    announce(house)
    house.lease(house.accept("owls"))
    assert lose(house, house.accept("crows"), "w1").lost == (1, 2)
    assert member(house).losses == 1
    assert member(house).drained_at is None


def test_a_worker_that_never_announced_itself_is_drained_all_the_same(house: House) -> None:
    lose(house, house.accept("owls"), "ghost")
    assert lose(house, 1, "ghost").drained == ("ghost",)
    assert not member(house, "ghost").taking


def test_the_slots_are_those_of_who_takes_attempts(house: House) -> None:
    announce(house)
    announce(house, "w2", slots=4, gpu="0")
    assert slots(house, "evaluate.cpu") == 6
    assert slots(house, "evaluate.gpu") == 1
    fleet.drain(house.db, "w1", reason="old")
    assert slots(house, "evaluate.cpu") == 4
    house.clock.tick(minutes=2)
    assert slots(house, "evaluate.cpu") == 0


def test_draining_twice_keeps_the_first_reason(house: House) -> None:
    announce(house)
    assert fleet.drain(house.db, "w1", reason="first")
    assert not fleet.drain(house.db, "w1", reason="second")
    assert member(house).drain_reason == "first"
    assert fleet.resume(house.db, "w1")
    assert not fleet.resume(house.db, "w1")


@pytest.mark.parametrize("call", ["drain", "resume"])
def test_an_unknown_worker_is_named(house: House, call: str) -> None:
    made = {"reason": "?"} if call == "drain" else {}
    with pytest.raises(UsageError, match="no worker 'w9'") as raised:
        getattr(fleet, call)(house.db, "w9", **made)
    assert raised.value.code == "unknown_worker"


def test_who_is_silent_for_a_week_is_forgotten_unless_drained(house: House) -> None:
    announce(house)
    announce(house, "w2")
    fleet.drain(house.db, "w2", reason="repair")
    house.clock.tick(days=8)
    ledger.sweep(house.db)
    assert [one.name for one in fleet.listing(house.db)] == ["w2"]


def test_a_living_worker_breaks_the_silence_a_drained_one_does_not(house: House) -> None:
    announce(house)
    house.accept()
    house.clock.tick(minutes=5)
    assert silence(house.db) is not None
    fleet.seen(house.db, "w1")
    assert silence(house.db) is None
    fleet.drain(house.db, "w1", reason="repair")
    found = silence(house.db)
    assert found is not None
    assert "1 submission waits" in found.sentence


def test_organizers_are_told_once_of_what_nobody_takes(house: House) -> None:
    attempt = house.accept()
    house.clock.tick(minutes=61)
    assert ledger.sweep(house.db).unattended == (attempt,)
    assert ledger.sweep(house.db).unattended == ()
    last = ledger.timeline(house.db, attempt)[-1]
    assert (last.source, last.code) == (None, "unattended")
    house.clock.tick(minutes=1)
    house.queue(attempt)
    house.clock.tick(minutes=61)
    assert ledger.sweep(house.db).unattended == (attempt,)
