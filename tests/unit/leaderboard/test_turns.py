"""The fair order of what waits: who is taken next, by whom, and who is passed by for now."""

import threading
from datetime import timedelta

import pytest
from house import House, report

from harness.errors import OperatorError, SubmissionError
from leaderboard import endings, fleet, ledger
from leaderboard.db.models import Kind
from leaderboard.ledger import Hint, Lost
from leaderboard.states import Queue, State


def take(house: House, queue: Queue = Queue.PREFLIGHT, **how: object) -> int | None:
    """The attempt that the next lease gets."""
    work = ledger.lease_next(house.db, queue, worker="w1", **how)  # type: ignore[arg-type]  # gpu
    return work and work.attempt_id


def accept(house: House, *names: str) -> list[int]:
    """Submissions of these teams, a minute after each other."""
    made = []
    for name in names:
        made.append(house.accept(name))
        house.clock.tick(minutes=1)
    return made


def again(house: House, submission_id: int) -> int:
    made = ledger.rerun(house.db, submission_id, reason="once more").attempt_id
    house.clock.tick(minutes=1)
    return made


def test_the_longest_waiting_is_next(house: House) -> None:
    assert accept(house, "owls", "crows", "jays") == [1, 2, 3]
    assert [take(house) for _ in range(4)] == [1, 2, 3, None]


def test_the_teams_go_round(house: House) -> None:
    """Three runs of one team that an organizer wants do not hold the others up."""
    for ref in "abc":
        house.queue(house.accept("owls", ref * 40))
        ledger.cancel(house.db, ledger_latest(house), reason="wrong machine")
    owls = [again(house, number) for number in (1, 2, 3)]
    crow, jay = accept(house, "crows", "jays")
    assert [hint.attempt_id for hint in ledger.waiting(house.db)] == [*owls, crow, jay]
    assert [take(house) for _ in range(5)] == [owls[0], crow, jay, owls[1], owls[2]]


def ledger_latest(house: House) -> int:
    return ledger.waiting(house.db)[-1].attempt_id


def test_a_team_has_one_scored_run_at_a_time(house: House) -> None:
    house.score("owls", f1=0.2)
    second = again(house, 1)
    house.run(second)
    house.clock.tick(minutes=1)
    third = again(house, 1)
    house.queue(third)
    crow = house.accept("crows")
    house.queue(crow)
    assert house.state(second) is State.RUNNING
    assert ledger.lease(house.db, third, worker="w2") is None
    assert not [hint for hint in ledger.waiting(house.db) if hint.attempt_id == third]
    assert take(house, Queue.EVALUATE) == crow
    assert take(house, Queue.EVALUATE) is None
    house.clock.tick(minutes=2)
    assert second in ledger.sweep(house.db).cancelled
    assert ledger.lease(house.db, third, worker="w2") is not None


def test_two_workers_never_run_two_attempts_of_a_team(house: House) -> None:
    house.score("owls", f1=0.2)
    attempts = [again(house, 1)]
    house.queue(attempts[0])
    house.clock.tick(minutes=1)
    with house.db.write() as session:  # as two reruns would stand that came at the same moment
        first = house.attempt(attempts[0])
        made = type(first)(
            submission_id=1,
            team_id=first.team_id,
            accepted_at=first.accepted_at,
            month=first.month,
            split=first.split,
            state=State.QUEUED,
            state_since=first.state_since,
            turn=first.turn,
            tracks=["f1"],
        )
        session.add(made)
        session.flush()
        attempts.append(made.id)
    barrier = threading.Barrier(2)
    found: list[int | None] = []

    def lease() -> None:
        barrier.wait(timeout=10)
        found.append(take(house, Queue.EVALUATE))

    threads = [threading.Thread(target=lease) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(found, key=str) == [attempts[0], None]


def test_a_preflight_has_a_queue_apart_from_scored_runs(house: House) -> None:
    house.queue(house.accept("owls"))
    crow = house.accept("crows")
    assert take(house, Queue.PREFLIGHT) == crow
    assert take(house, Queue.EVALUATE) == 1


def test_our_fault_is_tried_again_after_a_while_that_grows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = house.accept()
    for minutes in (1, 5, 25):
        work = house.lease(attempt)
        ledger.fail(house.db, work, OperatorError("engine_down"))
        assert house.attempt(attempt).not_before == house.clock.now + timedelta(minutes=minutes)
        assert ledger.waiting(house.db) == []
        assert take(house) is None
        house.clock.tick(minutes=minutes, seconds=-1)
        assert ledger.lease(house.db, attempt, worker="w1") is None
        house.clock.tick(seconds=1)
        assert ledger.waiting(house.db) == [Hint(attempt, Queue.PREFLIGHT)]
    assert house.lease(attempt)
    assert house.attempt(attempt).not_before is None
    monkeypatch.setenv("ROSTRUM_RETRY_SECONDS", "0.5")
    assert endings.retry_wait(3) == timedelta(seconds=12.5)


def test_a_loss_waits_for_nothing(house: House) -> None:
    house.lease(house.accept())
    house.clock.tick(seconds=91)
    assert ledger.sweep(house.db).lost == (1,)
    assert take(house) == 1


def test_a_worker_that_is_stopped_gives_back_and_nobody_counts_it(house: House) -> None:
    work = house.run(house.accept())
    assert ledger.give_back(house.db, work, gone=True) is State.QUEUED
    attempt = house.attempt(1)
    assert (attempt.losses, attempt.retries, attempt.worker) == (0, 0, None)
    assert attempt.fence == work.fence + 1
    with pytest.raises(Lost):
        ledger.score(house.db, work, {"f1": report("f1", 0.3)})
    assert take(house, Queue.EVALUATE) == 1
    assert house.kinds(1) == [Kind.RESERVE, Kind.CHARGE]


def test_what_is_given_back_after_a_stop_has_ended(house: House) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, 1, reason="asked by the team")
    assert ledger.give_back(house.db, work, gone=True) is State.CANCELLED
    assert ledger.timeline(house.db, 1)[-1].code == endings.SANDBOX_GONE


def test_what_wants_a_gpu_is_for_workers_that_have_one(house: House) -> None:
    work = house.lease(house.accept("owls"))
    ledger.needs_gpu(house.db, work)
    crow = house.accept("crows")
    attempt = house.attempt(1)
    assert (attempt.state, attempt.gpu, attempt.retries) == (State.RECEIVED, True, 0)
    assert set(ledger.waiting(house.db)) == {
        Hint(1, Queue.PREFLIGHT, gpu=True),
        Hint(crow, Queue.PREFLIGHT),
    }
    assert ledger.wants_gpu(house.db, 1)
    assert ledger.lease(house.db, 1, worker="w1") is None
    assert take(house, gpu=(True,)) == 1
    assert take(house, gpu=(True,)) is None
    assert take(house, gpu=(False, True)) == crow
    with pytest.raises(Lost):
        ledger.advance(house.db, work, State.BUILDING, commit="c" * 40)


def test_a_rerun_of_what_wants_a_gpu_wants_one(house: House) -> None:
    work = house.lease(house.accept())
    ledger.needs_gpu(house.db, work)
    assert house.attempt(again(house, 1)).gpu


def test_only_while_it_is_prepared_an_attempt_changes_to_another_worker(house: House) -> None:
    with pytest.raises(ValueError, match="cannot change"):
        ledger.needs_gpu(house.db, house.run(house.accept()))


def test_a_drained_worker_gets_nothing_and_finishes_what_it_has(house: House) -> None:
    fleet.announce(house.db, "w1", queues=["preflight.cpu"], slots=1, gpu=None, version="0")
    work = house.lease(house.accept("owls"))
    house.accept("crows")
    assert fleet.drain(house.db, "w1", reason="it smokes")
    assert take(house) is None
    assert not ledger.is_any(house.db, Queue.PREFLIGHT, worker="w1")
    assert ledger.is_any(house.db, Queue.PREFLIGHT, worker="w2")
    assert ledger.fail(house.db, work, SubmissionError("crashed")) is State.FAILED
    assert fleet.resume(house.db, "w1")
    assert take(house) == 2


@pytest.mark.parametrize("stage", ["waits", "is prepared", "runs"])
def test_failed_by_hand_with_a_verdict_whose_fault_decides_the_quota(
    house: House, stage: str
) -> None:
    attempt = house.accept()
    work = None
    if stage == "is prepared":
        work = house.preflight(attempt)
    elif stage == "runs":
        work = house.run(attempt)
    state = ledger.fail_by_hand(house.db, attempt, code="engine_down", reason="the lab was flooded")
    if work is not None:
        assert state is work.state
        assert ledger.heartbeat(house.db, work).stop
        ledger.fail(house.db, work, SubmissionError("crashed"))  # it came later
    row = house.attempt(attempt)
    assert (row.state, row.verdict_code) == (State.FAILED, "engine_down")
    given = Kind.REFUND if stage == "runs" else Kind.RELEASE
    assert house.kinds(attempt)[-1] is given
    notes = [moment.note for moment in ledger.timeline(house.db, attempt)]
    assert "failed by hand: the lab was flooded" in notes


def test_theirs_by_hand_stays_charged_and_says_that_the_sandbox_is_gone(house: House) -> None:
    work = house.run(house.accept())
    ledger.fail_by_hand(house.db, 1, code="output_limit", reason="it wrote and wrote")
    ledger.stopped(house.db, work, gone=True)
    assert house.kinds(1) == [Kind.RESERVE, Kind.CHARGE]
    last = ledger.timeline(house.db, 1)[-1]
    assert (last.target, last.code) == (State.FAILED, endings.SANDBOX_GONE)


def test_a_worker_that_is_silent_cannot_keep_what_was_failed_by_hand(house: House) -> None:
    house.run(house.accept())
    ledger.fail_by_hand(house.db, 1, code="crashed", reason="it hung")
    house.clock.tick(minutes=2)
    assert ledger.sweep(house.db).cancelled == (1,)
    assert house.attempt(1).verdict_code == "crashed"
    assert house.state(1) is State.FAILED


def test_the_last_loss_of_a_sound_machine_waits_for_an_organizer(house: House) -> None:
    """Somebody's program may have done it: then no place comes back by itself."""
    house.queue(house.accept())
    for loss in range(3):
        work = house.lease(1, worker=f"w{loss + 2}")
        if loss:
            ledger.found_sound(house.db, work)
        house.clock.tick(minutes=2)
        ledger.sweep(house.db)
    assert house.attempt(1).verdict_code == "worker_lost"
    assert house.kinds(1)[-1] is Kind.REFUND_WAITS
