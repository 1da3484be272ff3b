"""The expected start of what waits: honest arithmetic over past runs and living slots."""

from datetime import timedelta

import pytest
from house import House, report

from leaderboard import fleet, ledger
from leaderboard.expected import Expected, remaining, start
from leaderboard.states import Queue, State, channel
from leaderboard.submissions import submission

PAST = [timedelta(minutes=number) for number in (2, 4, 6)]


def minutes(*numbers: float) -> list[timedelta]:
    return [timedelta(minutes=number) for number in numbers]


@pytest.mark.parametrize(
    ("left", "slots", "ahead", "wait"),
    [
        ((), 1, 0, 0),
        ((), 1, 1, 4),
        ((), 2, 1, 0),
        ((), 2, 5, 8),
        ((3,), 1, 0, 3),
        ((3,), 2, 0, 0),
        ((3,), 2, 1, 3),
        ((3, 1), 2, 2, 5),
        ((3, 1, 9), 2, 0, 1),
    ],
)
def test_the_runs_before_it_are_dealt_out_to_the_slots(
    left: tuple[float, ...], slots: int, ahead: int, wait: float
) -> None:
    found = start(PAST, left=minutes(*left), slots=slots, ahead=ahead)
    assert found == timedelta(minutes=wait)


@pytest.mark.parametrize(("age", "left"), [(0, 4), (1, 3), (3, 3), (5, 1), (10, 5)])
def test_a_run_needs_what_those_needed_that_lasted_longer(age: float, left: float) -> None:
    assert remaining(PAST, age=timedelta(minutes=age)) == timedelta(minutes=left)


def past(house: House, *, runs: int = 3) -> None:
    """Some teams were scored: a preflight of two minutes, a run of ten."""
    for number in range(runs):
        work = house.preflight(house.accept(f"past {number}"))
        house.clock.tick(minutes=2)
        ledger.advance(house.db, work, State.QUEUED, can_chat=True)
        running = house.lease(work.attempt_id)
        house.clock.tick(minutes=10)
        ledger.score(house.db, running, {"f1": report("f1", 0.2)})


def at_work(house: House, *, slots: int = 1) -> None:
    names = [channel(queue) for queue in Queue]
    fleet.announce(house.db, "w1", queues=names, slots=slots, gpu=None, version="0")


def seen(house: House, attempt: int) -> Expected | None:
    return submission(house.db, house.attempt(attempt).submission_id).expected


def test_nothing_is_said_where_there_is_nothing_to_go_by(house: House) -> None:
    past(house, runs=2)
    at_work(house)
    attempt = house.accept()
    assert seen(house, attempt) is None, "two runs are too few"
    ledger.cancel(house.db, attempt, reason="no")
    past(house, runs=0)
    past_again = house.preflight(house.accept("past 9"))
    ledger.advance(house.db, past_again, State.QUEUED)
    running = house.lease(past_again.attempt_id)
    ledger.score(house.db, running, {"f1": report("f1", 0.2)})
    other = house.accept("crows")
    at_work(house)
    assert seen(house, other) is not None
    house.clock.tick(minutes=2)
    assert seen(house, other) is None, "no worker lives"


def test_a_waiting_preflight_starts_when_those_before_it_are_through(house: House) -> None:
    past(house)
    first, second, third = (house.accept(name) for name in ("owls", "crows", "jays"))
    house.lease(first)
    house.clock.tick(seconds=30)
    at_work(house)
    found = seen(house, third)
    assert found is not None
    assert found.at - house.clock.now == timedelta(seconds=90) + timedelta(minutes=2)
    assert (found.usual, found.runs, found.slots) == (timedelta(minutes=2), 3, 1)
    assert found.sentence == (
        "Expected to start at about 2026-11-20 12:40 UTC: the last 3 such runs took 2 min each "
        "(median), and the workers take 1 at a time."
    )
    view = submission(house.db, house.attempt(third).submission_id)
    assert view.sentence.endswith("1 attempt waits before it.")
    assert submission(house.db, second).sentence.endswith("It is next.")
    assert seen(house, first) is None


def test_a_free_slot_is_a_start_within_a_minute(house: House) -> None:
    past(house)
    attempt = house.accept()
    at_work(house)
    found = seen(house, attempt)
    assert found is not None
    assert found.soon
    assert found.sentence.startswith("Expected to start within a minute: ")


def test_a_lost_lease_is_no_duration(house: House) -> None:
    past(house, runs=2)
    attempt = house.accept()
    house.queue(attempt)
    house.lease(attempt)
    house.clock.tick(hours=1)
    ledger.sweep(house.db)
    running = house.lease(attempt)
    house.clock.tick(minutes=10)
    ledger.score(house.db, running, {"f1": report("f1", 0.2)})
    waiting = house.accept("crows")
    house.queue(waiting)
    at_work(house)
    found = seen(house, waiting)
    assert found is not None
    assert found.usual == timedelta(minutes=10)


def test_it_waits_for_the_other_run_of_its_team(house: House) -> None:
    past(house)
    house.run(house.accept())
    house.clock.tick(minutes=4)
    second = ledger.rerun(house.db, 4, reason="again").attempt_id
    house.queue(second)
    at_work(house, slots=5)
    found = seen(house, second)
    assert found is not None
    assert found.at - house.clock.now == timedelta(minutes=6)
    view = submission(house.db, 4)
    assert "it waits for the team's other one" in view.sentence


def test_a_retry_says_when_it_is_due(house: House) -> None:
    from harness.errors import OperatorError

    past(house)
    ledger.fail(house.db, house.lease(house.accept()), OperatorError("engine_down"))
    at_work(house)
    view = submission(house.db, 4)
    assert view.expected is not None
    assert view.expected.at == house.attempt(4).not_before
    assert view.sentence == (
        "Accepted, waiting for a worker. It is next. So far it was tried again 1 of at most 3 "
        "times, which is not the team's fault. The next try is not before 2026-11-20 12:37 UTC."
    )
