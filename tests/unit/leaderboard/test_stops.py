"""A cancel: what was asked to stop takes no further step, and its end says what was verified."""

import pytest
from house import House, report

from harness.errors import OperatorError, SubmissionError
from leaderboard import endings, ledger
from leaderboard.db.models import Kind
from leaderboard.states import State


def test_a_cancel_in_the_last_instant_of_a_preflight_charges_nothing(house: House) -> None:
    work = house.preflight(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    with pytest.raises(ledger.StopAsked):
        ledger.advance(house.db, work, State.QUEUED, can_chat=True)
    assert house.state(work.attempt_id) is State.PREFLIGHT
    ledger.stopped(house.db, work, gone=True)
    assert house.state(work.attempt_id) is State.CANCELLED
    assert house.kinds(work.attempt_id) == [Kind.RESERVE, Kind.RELEASE]


def test_a_cancel_in_the_last_instant_of_a_run_leaves_no_score(house: House) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    with pytest.raises(ledger.StopAsked):
        ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    assert house.state(work.attempt_id) is State.RUNNING


@pytest.mark.parametrize(
    ("gone", "code", "words"),
    [
        (True, endings.SANDBOX_GONE, "the sandbox is verified gone"),
        (False, endings.SANDBOX_LEFT, "the sandbox could not be verified gone"),
    ],
)
def test_the_end_says_whether_the_sandbox_is_gone(
    house: House, gone: bool, code: str, words: str
) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    ledger.stopped(house.db, work, gone=gone)
    last = ledger.timeline(house.db, work.attempt_id)[-1]
    assert (last.source, last.target, last.code) == (State.RUNNING, State.CANCELLED, code)
    assert last.note == f"stopped by the worker; {words}"


def test_what_nobody_verified_is_not_said_to_be_gone(house: House) -> None:
    silent = house.run(house.accept("owls"))
    broken = house.run(house.accept("cats"))
    for work in (silent, broken):
        ledger.cancel(house.db, work.attempt_id, reason="too loud")
    ledger.fail(house.db, broken, OperatorError("engine_down"))
    house.clock.tick(seconds=91)
    ledger.sweep(house.db)
    ends = [ledger.timeline(house.db, work.attempt_id)[-1] for work in (silent, broken)]
    assert [end.target for end in ends] == [State.CANCELLED, State.CANCELLED]
    assert [end.code for end in ends] == ["worker_lost", "engine_down"]


def test_a_fault_of_the_submission_that_came_first_stays_its_end(house: House) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    assert ledger.fail(house.db, work, SubmissionError("crashed")) is State.FAILED
