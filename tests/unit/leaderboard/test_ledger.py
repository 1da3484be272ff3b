"""The ledger moves attempts along the table of states, once, and for the holder only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from threading import Barrier, Thread

import pytest
from house import House, report
from sqlalchemy import select

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import ledger
from leaderboard.db.models import Attempt, Event, Kind, PreflightLog, Submission, TrackReport
from leaderboard.ledger import Lost, Work
from leaderboard.states import MAX_LOSSES, MAX_RETRIES, STAGES, Queue, State, may_move
from leaderboard.transitions import move

LOST = timedelta(seconds=91)


def _put(house: House, attempt_id: int, state: State) -> None:
    with house.db.write() as session:
        session.get_one(Attempt, attempt_id).state = state


@pytest.mark.parametrize(("source", "target"), list(product(State, State)))
def test_every_arrow_of_the_table_and_no_other_can_be_moved(
    house: House, source: State, target: State
) -> None:
    attempt_id = house.accept()
    _put(house, attempt_id, source)
    with house.db.write() as session:
        attempt = session.get_one(Attempt, attempt_id)
        if may_move(source, target):
            move(session, attempt, target)
        else:
            with pytest.raises(ValueError, match=f"from {source} to {target}"):
                move(session, attempt, target)
    assert house.state(attempt_id) is (target if may_move(source, target) else source)


def test_an_attempt_runs_from_acceptance_to_its_score(house: House) -> None:
    attempt_id = house.accept(ref="main")
    fetching = house.lease(attempt_id)
    assert fetching.state is State.FETCHING
    assert (fetching.ref, fetching.commit, fetching.split) == ("main", None, "test")
    house.clock.tick(seconds=5)
    building = ledger.advance(
        house.db, fetching, State.BUILDING, commit="a" * 40, entry=" owl ", tracks=("f1", "hits")
    )
    preflight = ledger.advance(house.db, building, State.PREFLIGHT, image="sha256:7")
    queued = ledger.advance(
        house.db, preflight, State.QUEUED, can_chat=True, environment="e1", sandbox="docker"
    )
    assert house.attempt(attempt_id).worker is None
    running = house.lease(attempt_id, worker="w2")
    assert running.fence == queued.fence + 1
    assert running.tracks == ("hits", "f1")
    assert (running.commit, running.image, running.environment) == ("a" * 40, "sha256:7", "e1")
    ledger.score(house.db, running, {"hits": report("hits", 0.5), "f1": report("f1", 0.2)})

    attempt = house.attempt(attempt_id)
    assert attempt.state is State.SCORED
    assert (attempt.can_chat, attempt.sandbox, attempt.worker) == (True, "docker", None)
    moved = [moment for moment in ledger.timeline(house.db, attempt_id) if moment.source]
    assert [moment.target for moment in moved] == [
        State.FETCHING,
        State.BUILDING,
        State.PREFLIGHT,
        State.QUEUED,
        State.RUNNING,
        State.SCORED,
    ]
    assert [moment.worker for moment in moved] == ["w1", "w1", "w1", "w1", "w2", "w2"]
    assert moved[1].at - moved[0].at == timedelta(seconds=5)
    with house.db.read() as session:
        assert session.scalar(select(Submission.entry)) == "owl"
        assert len(session.scalars(select(TrackReport)).all()) == 2
    assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.CHARGE]


@pytest.mark.parametrize("stage", ["received", "queued"])
def test_of_two_deliveries_one_gets_the_lease(house: House, stage: str) -> None:
    attempt_id = house.accept()
    if stage == "queued":
        house.queue(attempt_id)
    start = Barrier(2)
    found: list[Work | None] = []

    def deliver(worker: str) -> None:
        start.wait(timeout=10)
        found.append(ledger.lease(house.db, attempt_id, worker=worker))

    threads = [Thread(target=deliver, args=(name,)) for name in ("w1", "w2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert sorted(work is None for work in found) == [False, True]
    assert house.kinds(attempt_id).count(Kind.CHARGE) == (1 if stage == "queued" else 0)


def test_two_clicks_at_once_make_one_attempt(house: House) -> None:
    team_id = house.team()
    start = Barrier(2)
    found: list[ledger.Accepted] = []

    def click() -> None:
        start.wait(timeout=10)
        found.append(ledger.accept(house.db, team_id=team_id, ref="main"))

    threads = [Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert len({accepted.attempt_id for accepted in found}) == 1
    assert sorted(accepted.new for accepted in found) == [False, True]


def test_an_attempt_that_does_not_exist_cannot_be_leased(house: House) -> None:
    assert ledger.lease(house.db, 4711, worker="w1") is None


LATE_CALLS: dict[str, Callable[[House, Work], object]] = {
    "advance": lambda house, work: ledger.advance(house.db, work, State.BUILDING),
    "fail": lambda house, work: ledger.fail(house.db, work, SubmissionError("no_track_file")),
    "stopped": lambda house, work: ledger.stopped(house.db, work, gone=True),
    "score": lambda house, work: ledger.score(house.db, work, {}),
}


@pytest.mark.parametrize("call", LATE_CALLS)
def test_a_stale_fence_is_refused_and_writes_nothing(house: House, call: str) -> None:
    attempt_id = house.accept()
    stale = house.lease(attempt_id)
    house.clock.now += LOST
    ledger.sweep(house.db)
    fresh = house.lease(attempt_id, worker="w2")
    before = ledger.timeline(house.db, attempt_id)

    with pytest.raises(Lost):
        LATE_CALLS[call](house, stale)

    assert ledger.timeline(house.db, attempt_id) == before
    assert ledger.heartbeat(house.db, stale) == ledger.Beat(held=False, stop=False)
    assert ledger.heartbeat(house.db, fresh) == ledger.Beat(held=True, stop=False)


def test_a_row_moved_by_somebody_else_since_it_was_read_is_lost(house: House) -> None:
    attempt_id = house.accept()
    with house.db.write() as session:
        attempt = session.get_one(Attempt, attempt_id)
        session.connection().exec_driver_sql("UPDATE attempts SET fence = fence + 1")
        with pytest.raises(Lost):
            move(session, attempt, State.FETCHING)


@pytest.mark.parametrize("target", [State.RECEIVED, State.QUEUED, State.SCORED, State.FAILED])
def test_a_worker_can_only_step_forward(house: House, target: State) -> None:
    work = house.lease(house.accept())
    with pytest.raises(ValueError, match="cannot advance"):
        ledger.advance(house.db, work, target)
    assert house.state(work.attempt_id) is State.FETCHING


def test_a_score_is_all_tracks_or_none(house: House) -> None:
    work = house.run(house.accept(), tracks=("f1", "ppl"))
    for reports in (
        {},
        {"f1": report("f1", 0.1)},
        {"f1": report("f1", 0.1), "ppl": report("f1", 1)},
    ):
        with pytest.raises(ValueError, match="reports of"):
            ledger.score(house.db, work, reports)
    with house.db.read() as session:
        assert session.scalars(select(TrackReport)).all() == []
    assert house.state(work.attempt_id) is State.RUNNING


def test_their_fault_fails_at_once_and_keeps_the_charge(house: House) -> None:
    work = house.run(house.accept())
    error = SubmissionError("invalid_prediction", detail="not_finite", message="hidden text")
    assert ledger.fail(house.db, work, error) is State.FAILED
    attempt = house.attempt(work.attempt_id)
    assert (attempt.verdict_code, attempt.verdict_detail) == ("invalid_prediction", "not_finite")
    assert house.kinds(work.attempt_id) == [Kind.RESERVE, Kind.CHARGE]
    notes = [moment.note for moment in ledger.timeline(house.db, work.attempt_id)]
    assert not any("hidden text" in note for note in notes)


def test_their_fault_before_the_run_releases_the_place(house: House) -> None:
    work = house.preflight(house.accept())
    ledger.fail(house.db, work, SubmissionError("crashed", detail="import"))
    assert house.kinds(work.attempt_id) == [Kind.RESERVE, Kind.RELEASE]


@pytest.mark.parametrize(
    ("stage", "back", "end"),
    [
        ("fetching", State.RECEIVED, Kind.RELEASE),
        ("preflight", State.RECEIVED, Kind.RELEASE),
        ("running", State.QUEUED, Kind.REFUND),
    ],
)
def test_our_fault_is_tried_again_then_fails_and_gives_the_place_back(
    house: House, stage: str, back: State, end: Kind
) -> None:
    attempt_id = house.accept()
    again = {"fetching": house.lease, "preflight": house.preflight, "running": house.lease}[stage]
    if stage == "running":
        house.queue(attempt_id)
    for number in range(1, MAX_RETRIES + 1):
        work = again(attempt_id)
        assert ledger.fail(house.db, work, OperatorError("engine_down")) is back
        assert house.attempt(attempt_id).retries == number
        assert house.attempt(attempt_id).worker is None
    last = again(attempt_id)
    assert ledger.fail(house.db, last, OperatorError("disk_full")) is State.FAILED
    assert house.attempt(attempt_id).verdict_code == "disk_full"
    kinds = house.kinds(attempt_id)
    assert kinds[0] is Kind.RESERVE
    assert kinds[-1] is end
    assert kinds.count(Kind.CHARGE) == (1 if stage == "running" else 0)


def test_the_first_reason_wins_and_an_error_of_the_clean_up_is_only_noted(house: House) -> None:
    work = house.run(house.accept())
    ledger.fail(house.db, work, SubmissionError("out_of_memory"))
    assert ledger.fail(house.db, work, OperatorError("engine_down")) is State.FAILED
    assert house.attempt(work.attempt_id).verdict_code == "out_of_memory"
    assert house.kinds(work.attempt_id) == [Kind.RESERVE, Kind.CHARGE]
    last = ledger.timeline(house.db, work.attempt_id)[-1]
    assert (last.source, last.code, last.note) == (None, "engine_down", "afterwards")


def test_an_error_after_a_score_leaves_the_score(house: House) -> None:
    work = house.run(house.accept())
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    assert ledger.fail(house.db, work, OperatorError("engine_down")) is State.SCORED


def test_a_log_is_kept_of_a_preflight_only_its_end_and_the_last_one(house: House) -> None:
    work = house.preflight(house.accept())
    ledger.keep_log(house.db, work, name="f1", text="first")
    ledger.keep_log(house.db, work, name="f1", text="x\x00" * 300_000 + "é the end")
    with house.db.read() as session:
        text = session.scalars(select(PreflightLog.text)).one()
    assert text.endswith("é the end")
    assert "\x00" not in text
    ledger.advance(house.db, work, State.QUEUED)
    running = house.lease(work.attempt_id)
    with pytest.raises(ValueError, match="preflights only"):
        ledger.keep_log(house.db, running, name="f1", text="hidden")
    with pytest.raises(Lost):
        ledger.keep_log(house.db, work, name="f1", text="late")


def test_a_waiting_attempt_is_cancelled_at_once(house: House) -> None:
    attempt_id = house.accept()
    assert ledger.cancel(house.db, attempt_id, reason="asked by the team") is State.CANCELLED
    assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.RELEASE]
    assert ledger.timeline(house.db, attempt_id)[-1].note == "asked by the team"
    with pytest.raises(UsageError, match="already cancelled"):
        ledger.cancel(house.db, attempt_id, reason="again")
    with pytest.raises(UsageError, match="no attempt 99"):
        ledger.cancel(house.db, 99, reason="nobody")


def test_a_leased_attempt_is_stopped_by_its_worker(house: House) -> None:
    work = house.run(house.accept())
    assert ledger.cancel(house.db, work.attempt_id, reason="too loud") is State.RUNNING
    assert ledger.heartbeat(house.db, work) == ledger.Beat(held=True, stop=True)
    ledger.stopped(house.db, work, gone=True)
    assert house.state(work.attempt_id) is State.CANCELLED
    assert house.kinds(work.attempt_id) == [Kind.RESERVE, Kind.CHARGE]


def test_a_stopped_attempt_is_not_tried_again_after_our_fault(house: House) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    assert ledger.fail(house.db, work, OperatorError("engine_down")) is State.CANCELLED


def test_waiting_names_the_queue_the_longest_waiting_first(house: House) -> None:
    first = house.accept("owls")
    house.clock.tick(seconds=1)
    second = house.accept("cats")
    house.clock.tick(seconds=1)
    house.queue(first)
    held = house.accept("dogs")
    house.lease(held)
    assert ledger.waiting(house.db) == [
        ledger.Hint(second, Queue.PREFLIGHT),
        ledger.Hint(first, Queue.EVALUATE),
    ]


def test_a_silent_worker_loses_its_attempt_and_the_last_loss_refunds(house: House) -> None:
    attempt_id = house.accept()
    house.queue(attempt_id)
    for losses in range(1, MAX_LOSSES + 1):
        work = house.lease(attempt_id, worker=f"w{losses}")
        house.clock.tick(seconds=80)
        ledger.heartbeat(house.db, work)
        house.clock.tick(seconds=80)
        assert ledger.sweep(house.db).lost == ()
        house.clock.tick(seconds=11)
        assert ledger.sweep(house.db).lost == (attempt_id,)
        assert house.attempt(attempt_id).losses == losses
    attempt = house.attempt(attempt_id)
    assert (attempt.state, attempt.verdict_code) == (State.FAILED, "worker_lost")
    assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.CHARGE, Kind.REFUND]
    lost = [m for m in ledger.timeline(house.db, attempt_id) if m.code == "worker_lost"]
    assert [moment.worker for moment in lost] == ["w1", "w2", "w3"]


def test_a_lost_attempt_waits_again_in_front_of_its_stage(house: House) -> None:
    work = house.preflight(house.accept())
    house.clock.now += LOST
    ledger.sweep(house.db)
    attempt = house.attempt(work.attempt_id)
    assert (attempt.state, attempt.fence) == (State.RECEIVED, work.fence + 1)
    again = house.lease(work.attempt_id)
    assert again.commit == "c" * 40


def test_the_time_to_lose_a_worker_is_a_setting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_LOST_SECONDS", "3")
    work = house.lease(house.accept())
    house.clock.tick(seconds=4)
    assert ledger.sweep(house.db).lost == (work.attempt_id,)


@pytest.mark.parametrize(
    ("stage", "state", "code"),
    [
        (State.FETCHING, State.RECEIVED, None),
        (State.BUILDING, State.RECEIVED, None),
        (State.PREFLIGHT, State.FAILED, "total_timeout"),
        (State.RUNNING, State.QUEUED, None),
    ],
)
def test_a_state_past_its_limit_ends_though_the_worker_lives(
    house: House, stage: State, state: State, code: str | None
) -> None:
    attempt_id = house.accept()
    work = house.lease(attempt_id)
    steps: list[State] = [State.BUILDING, State.PREFLIGHT, State.QUEUED]
    for step in steps[: steps.index(stage) + 1] if stage in steps else []:
        work = ledger.advance(house.db, work, step, tracks=("f1",))
    if stage is State.RUNNING:
        for step in steps:
            work = ledger.advance(house.db, work, step, tracks=("f1",))
        work = house.lease(attempt_id)
    limit = STAGES[stage].limit
    assert limit is not None
    house.clock.now += limit
    assert ledger.heartbeat(house.db, work).held
    assert ledger.sweep(house.db).overdue == ()
    house.clock.tick(seconds=1)
    assert ledger.sweep(house.db).overdue == (attempt_id,)
    assert house.state(attempt_id) is state
    assert house.attempt(attempt_id).verdict_code == code
    assert not ledger.heartbeat(house.db, work).held


def test_a_stopped_attempt_whose_worker_is_gone_is_cancelled(house: House) -> None:
    work = house.run(house.accept())
    ledger.cancel(house.db, work.attempt_id, reason="too loud")
    house.clock.now += LOST
    assert ledger.sweep(house.db).cancelled == (work.attempt_id,)
    assert house.state(work.attempt_id) is State.CANCELLED


def test_the_sweep_tells_who_waits_long_and_forgets_old_logs(house: House) -> None:
    work = house.preflight(house.accept())
    ledger.keep_log(house.db, work, name="f1", text="hello")
    ledger.advance(house.db, work, State.QUEUED)
    house.clock.tick(minutes=61)
    swept = ledger.sweep(house.db)
    assert (swept.unattended, swept.logs) == ((work.attempt_id,), 0)
    assert house.state(work.attempt_id) is State.QUEUED
    house.clock.tick(days=90)
    assert ledger.sweep(house.db).logs == 1


def test_a_second_sweep_finds_nothing_to_do(house: House) -> None:
    house.lease(house.accept())
    house.clock.now += LOST
    assert ledger.sweep(house.db).lost
    assert ledger.sweep(house.db) == ledger.Swept()


def test_every_move_left_an_event_with_its_fence(house: House) -> None:
    work = house.run(house.accept())
    with house.db.read() as session:
        fences = session.scalars(select(Event.fence).order_by(Event.id)).all()
    assert fences == [0, 1, 1, 1, 1, 2]
    assert work.fence == 2


def test_a_work_is_only_as_good_as_its_state(house: House) -> None:
    work = house.lease(house.accept())
    ledger.advance(house.db, work, State.BUILDING, tracks=("f1",))
    with pytest.raises(Lost, match="no longer fetching"):
        ledger.advance(house.db, work, State.BUILDING)
    with pytest.raises(Lost):
        ledger.stopped(house.db, replace(work, attempt_id=99), gone=True)
