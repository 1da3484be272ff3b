"""A clock that was stepped ends nobody's attempt, and keeps nobody's alive."""

from datetime import timedelta

import pytest
from house import House

from harness.errors import OperatorError
from leaderboard import fleet, ledger
from leaderboard.invariants import broken
from leaderboard.states import State


class Steady:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def pace(steady: Steady) -> ledger.Pace:
    return ledger.Pace(steady)


def let_pass(house: House, steady: Steady, seconds: float) -> None:
    """Time passes on both clocks."""
    house.clock.tick(seconds=seconds)
    steady.seconds += seconds


def test_an_hour_forward_takes_no_attempt_from_its_worker(
    house: House, steady: Steady, pace: ledger.Pace
) -> None:
    running = house.run(house.accept("owls"))
    trying = house.preflight(house.accept("cats"))
    assert ledger.sweep(house.db, pace=pace).stepped is None
    house.clock.tick(hours=1)
    ledger.heartbeat(house.db, trying)  # it beats before the sweep: not silent, but overdue
    let_pass(house, steady, 10)
    swept = ledger.sweep(house.db, pace=pace)
    assert swept.stepped == timedelta(hours=1)
    assert (swept.lost, swept.overdue) == ((), ())
    assert house.state(running.attempt_id) is State.RUNNING
    assert house.state(trying.attempt_id) is State.PREFLIGHT
    assert broken(house.db, settled=False) == []


def test_whoever_is_silent_after_the_step_still_loses_its_attempt(
    house: House, steady: Steady, pace: ledger.Pace
) -> None:
    work = house.run(house.accept())
    ledger.sweep(house.db, pace=pace)
    house.clock.tick(hours=1)
    assert ledger.sweep(house.db, pace=pace).lost == ()
    let_pass(house, steady, 91)
    assert ledger.sweep(house.db, pace=pace).lost == (work.attempt_id,)


def test_time_that_just_passes_is_no_step(house: House, steady: Steady, pace: ledger.Pace) -> None:
    work = house.run(house.accept())
    ledger.sweep(house.db, pace=pace)
    let_pass(house, steady, 3600)
    swept = ledger.sweep(house.db, pace=pace)
    assert (swept.stepped, swept.lost) == (None, (work.attempt_id,))


@pytest.mark.parametrize("paced", [True, False])
def test_an_hour_back_does_not_keep_the_dead_alive(
    house: House, steady: Steady, pace: ledger.Pace, paced: bool
) -> None:
    kept = pace if paced else None
    work = house.run(house.accept())
    fleet.announce(house.db, "w1", queues=("cpu",), slots=1, gpu=None, version="0")
    ledger.sweep(house.db, pace=kept)
    house.clock.tick(hours=-1)
    assert ledger.sweep(house.db, pace=kept).stepped is not None
    let_pass(house, steady, 91)
    assert [member.alive for member in fleet.listing(house.db)] == [False]
    assert ledger.sweep(house.db, pace=kept).lost == (work.attempt_id,)
    assert broken(house.db, settled=False) == []


def test_an_hour_back_makes_no_retry_wait_for_an_hour(
    house: House, steady: Steady, pace: ledger.Pace
) -> None:
    work = house.run(house.accept())
    ledger.fail(house.db, work, OperatorError("engine_down"))
    house.clock.tick(hours=-1)
    ledger.sweep(house.db, pace=pace)
    assert ledger.lease(house.db, work.attempt_id, worker="w1") is not None


def test_two_that_sweep_come_to_the_same(house: House, steady: Steady, pace: ledger.Pace) -> None:
    other = ledger.Pace(steady)
    work = house.run(house.accept())
    for one in (pace, other):
        ledger.sweep(house.db, pace=one)
    house.clock.tick(hours=1)
    for one in (pace, other):
        assert ledger.sweep(house.db, pace=one).lost == ()
    let_pass(house, steady, 91)
    assert ledger.sweep(house.db, pace=other).lost == (work.attempt_id,)
    assert ledger.sweep(house.db, pace=pace).lost == ()
