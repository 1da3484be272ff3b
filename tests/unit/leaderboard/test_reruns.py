"""A rerun: a new attempt from any state, that costs the team nothing it has not paid."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from house import House, report

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import ledger, quota
from leaderboard.board import board, submission
from leaderboard.competition import of_row
from leaderboard.db.models import Attempt, Competition, Kind, Role
from leaderboard.leases import work_of
from leaderboard.ledger import Accepted, Work
from leaderboard.states import MAX_RETRIES, STAGES, Queue, State

REASON = "the test set was mended"


def used(house: House) -> int:
    """How many places of the current month the owls use."""
    with house.db.read() as session:
        row = session.get_one(Competition, house.competition_id)
        return quota.usage(session, house.team(), of_row(row).allowance).used


def rerun(house: House, submission_id: int = 1) -> Accepted:
    return ledger.rerun(house.db, submission_id, reason=REASON)


def received(house: House) -> None:
    house.accept()


def fetching(house: House) -> None:
    house.lease(house.accept())


def building(house: House) -> None:
    work = house.lease(house.accept())
    ledger.advance(house.db, work, State.BUILDING, commit="c" * 40, tracks=("f1",))


def preflight(house: House) -> None:
    house.preflight(house.accept())


def queued(house: House) -> None:
    house.queue(house.accept())


def running(house: House) -> None:
    house.run(house.accept())


def scored(house: House) -> None:
    house.score("owls", f1=0.2)


def failed_by_them(house: House) -> None:
    ledger.fail(house.db, house.run(house.accept()), SubmissionError("out_of_memory"))


def failed_before(house: House) -> None:
    ledger.fail(house.db, house.preflight(house.accept()), SubmissionError("crashed"))


def failed_by_us(house: House) -> None:
    work = house.run(house.accept())
    for _ in range(MAX_RETRIES):
        ledger.fail(house.db, work, OperatorError("engine_down"))
        work = house.lease(work.attempt_id)
    ledger.fail(house.db, work, OperatorError("engine_down"))


def cancelled(house: House) -> None:
    ledger.cancel(house.db, house.accept(), reason="asked by the team")


TAKEN_OVER = [Kind.RESERVE, Kind.RELEASE]
CHARGED_AND_TAKEN_OVER = [Kind.RESERVE, Kind.CHARGE, Kind.RELEASE]

CASES: dict[str, tuple[Callable[[House], None], State, list[Kind], int]] = {
    "received": (received, State.CANCELLED, TAKEN_OVER, 1),
    "fetching": (fetching, State.FETCHING, TAKEN_OVER, 1),
    "building": (building, State.BUILDING, TAKEN_OVER, 1),
    "preflight": (preflight, State.PREFLIGHT, TAKEN_OVER, 1),
    "queued": (queued, State.CANCELLED, TAKEN_OVER, 1),
    "running": (running, State.RUNNING, CHARGED_AND_TAKEN_OVER, 1),
    "scored": (scored, State.SCORED, [Kind.RESERVE, Kind.CHARGE], 1),
    "failed by them": (failed_by_them, State.FAILED, [Kind.RESERVE, Kind.CHARGE], 1),
    "failed before the run": (failed_before, State.FAILED, TAKEN_OVER, 0),
    "failed by us": (
        failed_by_us,
        State.FAILED,
        [Kind.RESERVE, Kind.CHARGE, Kind.REFUND],
        0,
    ),
    "cancelled": (cancelled, State.CANCELLED, TAKEN_OVER, 0),
}
"""How the first attempt came to stand, and once it is run again: its state, its entries, the sum of
the month."""


def test_every_state_has_its_case() -> None:
    assert {state.value for state in State} <= {name.partition(" ")[0] for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_a_rerun_from_any_state_leaves_the_months_sum_as_it_was(house: House, case: str) -> None:
    arrange, old_state, old_kinds, sum_of_month = CASES[case]
    arrange(house)
    was_open = not STAGES[house.state(1)].final
    assert used(house) == sum_of_month

    made = rerun(house)

    assert made == Accepted(submission_id=1, attempt_id=2, new=True)
    assert house.state(1) is old_state
    assert house.attempt(1).stop is STAGES[old_state].leased
    assert house.kinds(1) == old_kinds
    assert house.kinds(2) == ([Kind.RESERVE] if was_open else [])
    assert used(house) == sum_of_month
    assert ledger.waiting(house.db) == [ledger.Hint(2, Queue.PREFLIGHT)]

    if old_state is State.RUNNING:  # one scored run a team: the first must have ended
        house.clock.tick(minutes=2)
        assert ledger.sweep(house.db).cancelled == (1,)
    work = house.run(2)
    ledger.score(house.db, work, {"f1": report("f1", 0.4)})
    assert house.kinds(2) == ([Kind.RESERVE, Kind.CHARGE] if was_open else [])
    assert used(house) == sum_of_month


def one_step(house: House, work: Work) -> None:
    """What the worker would do next, were it not for the stop."""
    if work.state is State.RUNNING:
        ledger.score(house.db, work, {"f1": report("f1", 0.9)})
    else:
        steps = {State.FETCHING: State.BUILDING, State.BUILDING: State.PREFLIGHT}
        ledger.advance(house.db, work, steps.get(work.state, State.QUEUED))


@pytest.mark.parametrize("case", ["fetching", "building", "preflight", "running"])
def test_the_worker_of_the_old_attempt_can_only_stop(house: House, case: str) -> None:
    CASES[case][0](house)
    rerun(house)
    old = held(house, 1)
    assert ledger.heartbeat(house.db, old).stop
    with pytest.raises(ledger.StopAsked):
        one_step(house, old)
    ledger.stopped(house.db, old, gone=True)
    assert (house.state(1), house.state(2)) == (State.CANCELLED, State.RECEIVED)
    assert used(house) == 1


def held(house: House, attempt_id: int) -> Work:
    """What the worker of an attempt was told at its last step."""
    with house.db.read() as session:
        return work_of(session, session.get_one(Attempt, attempt_id))


def test_a_rerun_keeps_commit_split_and_month(house: House) -> None:
    house.clock.now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    first = house.run(house.accept())
    with house.db.write() as session:
        session.get_one(Attempt, 1).split = Role.VALID
    house.clock.now = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    rerun(house)
    again = house.lease(2, worker="w2")
    assert (again.commit, again.split) == (first.commit, "valid")
    attempt = house.attempt(2)
    assert (attempt.month, attempt.accepted_at) == ("2026-11", house.clock.now)
    assert used(house) == 0


def test_a_rerun_is_no_preflight_of_the_team(house: House) -> None:
    scored(house)
    for _ in range(3):
        work = house.run(rerun(house).attempt_id)
        ledger.score(house.db, work, {"f1": report("f1", 0.4)})
    assert submission(house.db, 1).quota.preflights_used == 1


def test_the_reason_stands_in_both_timelines(house: House) -> None:
    running(house)
    rerun(house)
    assert ledger.timeline(house.db, 1)[-1].note == f"stop asked for: rerun as attempt 2: {REASON}"
    assert [moment.note for moment in submission(house.db, 1).timeline] == [
        f"rerun of attempt 1: {REASON}"
    ]


def test_a_rerun_of_a_rerun_that_cost_nothing_costs_nothing(house: House) -> None:
    scored(house)
    rerun(house)
    house.run(2)
    assert rerun(house).attempt_id == 3
    assert (house.kinds(2), house.kinds(3), used(house)) == ([], [], 1)


def test_a_second_click_finds_the_rerun_that_still_waits(house: House) -> None:
    scored(house)
    assert rerun(house).new
    assert rerun(house) == Accepted(submission_id=1, attempt_id=2, new=False)
    house.lease(2)
    assert rerun(house) == Accepted(submission_id=1, attempt_id=3, new=True)


def test_two_organizers_at_once_make_one_attempt(house: House) -> None:
    scored(house)
    start = Barrier(2)
    found: list[Accepted] = []

    def click() -> None:
        start.wait(timeout=10)
        found.append(rerun(house))

    threads = [Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert [each.attempt_id for each in found] == [2, 2]
    assert sorted(each.new for each in found) == [False, True]


def test_the_team_that_submits_during_a_rerun_waits_for_its_end(house: House) -> None:
    scored(house)
    rerun(house)
    with pytest.raises(UsageError, match="submission 1 of team owls is still received"):
        house.accept(ref="main")  # the branch may have moved; the rerun keeps its commit


def test_a_submission_that_does_not_exist_is_not_run_again(house: House) -> None:
    with pytest.raises(UsageError, match="no submission 9") as caught:
        rerun(house, 9)
    assert caught.value.code == "unknown_submission"


def test_a_rerun_of_an_old_submission_pushes_no_newer_one_off_the_board(house: House) -> None:
    house.score("owls", f1=0.30)
    house.clock.tick(days=31)
    house.score("owls", f1=0.20)
    rerun(house, 1)
    ledger.score(house.db, house.run(3), {"f1": report("f1", 0.50)})
    (row,) = board(house.db, "spc").rows
    assert (row.submission_id, row.tracks["f1"].text) == (2, "20.0")


def test_a_rerun_of_the_newest_submission_takes_its_place(house: House) -> None:
    house.score("owls", f1=0.30)
    rerun(house)
    (row,) = board(house.db, "spc").rows
    assert row.tracks["f1"].text == "30.0"
    ledger.score(house.db, house.run(2), {"f1": report("f1", 0.50)})
    (row,) = board(house.db, "spc").rows
    assert (row.submission_id, row.tracks["f1"].text) == (1, "50.0")
