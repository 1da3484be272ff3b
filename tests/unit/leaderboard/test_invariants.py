"""What must be true of every submission: an eventful history keeps it, each breach is found."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from house import House, report
from sqlalchemy import text

from harness.errors import OperatorError, SubmissionError
from leaderboard import ledger
from leaderboard.admin.verify import verify
from leaderboard.invariants import INVARIANTS, MOST, broken, examine
from leaderboard.states import State


def scored(house: House) -> None:
    house.score("owls", f1=0.3)


def failed_by_theirs(house: House) -> None:
    work = house.run(house.accept("cats"))
    ledger.fail(house.db, work, SubmissionError("crashed", detail="verb"))


def failed_by_ours(house: House) -> None:
    attempt = house.accept("dogs")
    house.queue(attempt)
    for _ in range(4):
        ledger.fail(house.db, leased(house, attempt), OperatorError("engine_down"))


def lost_and_scored(house: House) -> None:
    attempt = house.accept("bats")
    house.run(attempt)
    for _ in range(2):
        house.clock.tick(minutes=5)
        ledger.sweep(house.db)
        work = leased(house, attempt)
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})


def cancelled_while_it_ran(house: House) -> None:
    work = house.run(house.accept("rats"))
    ledger.cancel(house.db, work.attempt_id, reason="asked by the team")
    ledger.stopped(house.db, work, gone=True)


def rerun_of_an_open_one(house: House) -> None:
    work = house.run(house.accept("hens"))
    again = ledger.rerun(house.db, submission_of(house, work.attempt_id), reason="looked stuck")
    ledger.stopped(house.db, work, gone=True)
    second = house.run(again.attempt_id)
    ledger.score(house.db, second, {"f1": report("f1", 0.4)})


def rerun_of_a_scored_one(house: House) -> None:
    first = house.score("mice", f1=0.3)
    again = ledger.rerun(house.db, submission_of(house, first), reason="new data")
    work = house.run(again.attempt_id)
    ledger.fail(house.db, work, SubmissionError("total_timeout"))


EVENTFUL = (
    scored,
    failed_by_theirs,
    failed_by_ours,
    lost_and_scored,
    cancelled_while_it_ran,
    rerun_of_an_open_one,
    rerun_of_a_scored_one,
)


def leased(house: House, attempt: int) -> ledger.Work:
    """The next lease of an attempt, however long it has to wait for it."""
    for number in range(12):  # one that has lost two gets no other
        work = ledger.lease(house.db, attempt, worker=f"w{number + house.attempt(attempt).fence}")
        if work is not None:
            return work
        house.clock.tick(hours=1)
    raise AssertionError(f"attempt {attempt} is {house.state(attempt)} and not to be had")


def submission_of(house: House, attempt: int) -> int:
    return house.attempt(attempt).submission_id


def bend(house: House, statement: str) -> None:
    """What no function of ours would do to the tables."""
    with house.db.write() as session:
        session.execute(text(statement))


def found(house: House, *, settled: bool = True) -> set[str]:
    return set(examine(house.db, settled=settled).counts)


def test_an_eventful_history_breaks_nothing(house: House) -> None:
    for story in EVENTFUL:
        story(house)
        assert broken(house.db) == [], story.__name__
    examined = examine(house.db)
    assert (examined.submissions, examined.attempts) == (7, 9)


@pytest.mark.parametrize(
    "stop", [State.RECEIVED, State.FETCHING, State.PREFLIGHT, State.QUEUED, State.RUNNING]
)
def test_what_is_under_way_is_no_breach_until_all_should_have_ended(
    house: House, stop: State
) -> None:
    attempt = house.accept()
    {
        State.RECEIVED: lambda _: None,
        State.FETCHING: house.lease,
        State.PREFLIGHT: house.preflight,
        State.QUEUED: house.queue,
        State.RUNNING: house.run,
    }[stop](attempt)
    assert found(house, settled=False) == set()
    assert found(house) == {"end"}
    assert f"attempt 1 is still {stop.value}" in broken(house.db)[0]


BREACHES: list[tuple[str, Callable[[House], None], str]] = [
    ("end", scored, "UPDATE attempts SET state = 'queued'"),
    ("end", scored, "UPDATE attempts SET verdict_code = 'crashed'"),
    ("end", failed_by_theirs, "UPDATE attempts SET verdict_code = NULL"),
    ("end", failed_by_theirs, "UPDATE attempts SET verdict_code = 'bad_luck'"),
    ("end", failed_by_theirs, "UPDATE events SET code = 'protocol' WHERE target = 'failed'"),
    ("end", cancelled_while_it_ran, "UPDATE events SET note = '' WHERE target = 'cancelled'"),
    (
        "end",
        scored,
        "INSERT INTO events (attempt_id, at, source, target, fence, note)"
        " SELECT attempt_id, at, 'running', 'scored', fence, '' FROM events"
        " WHERE target = 'scored'",
    ),
    ("timeline", scored, "DELETE FROM events WHERE target = 'building'"),
    ("timeline", scored, "DELETE FROM events WHERE source IS NULL"),
    ("timeline", scored, "UPDATE events SET target = 'cancelled' WHERE target = 'scored'"),
    ("timeline", scored, "DELETE FROM events WHERE target IN ('building', 'preflight', 'queued')"),
    ("fence", scored, "UPDATE events SET fence = 1 WHERE target = 'running'"),
    ("fence", lost_and_scored, "UPDATE events SET fence = 2 WHERE code = 'worker_lost'"),
    ("fence", scored, "UPDATE attempts SET fence = 9"),
    ("fence", scored, "UPDATE attempts SET losses = 9"),
    ("lease", scored, "UPDATE attempts SET worker = 'w1'"),
    ("lease", scored, "UPDATE attempts SET heartbeat_at = accepted_at"),
    ("quota", scored, "DELETE FROM quota_entries WHERE kind = 'charge'"),
    ("quota", scored, "UPDATE quota_entries SET kind = 'refund' WHERE kind = 'charge'"),
    ("quota", failed_by_theirs, "UPDATE quota_entries SET kind = 'grant' WHERE kind = 'reserve'"),
    ("quota", failed_by_ours, "DELETE FROM quota_entries WHERE kind IN ('refund', 'release')"),
    (
        "quota",
        failed_by_theirs,
        "INSERT INTO quota_entries (team_id, attempt_id, month, kind, at, reason)"
        " SELECT team_id, attempt_id, month, 'refund', at, '' FROM quota_entries"
        " WHERE kind = 'charge'",
    ),
    ("quota", rerun_of_an_open_one, "DELETE FROM quota_entries WHERE kind = 'release'"),
    ("report", scored, "DELETE FROM reports"),
    ("report", scored, """UPDATE attempts SET tracks = '["f1", "hits"]'"""),
    ("report", scored, "UPDATE submissions SET \"commit\" = 'main'"),
    ("report", failed_by_theirs, "UPDATE attempts SET withheld = 'why'"),
]


@pytest.mark.parametrize(("name", "story", "statement"), BREACHES)
def test_each_breach_is_found_by_its_name(
    house: House, name: str, story: Callable[[House], None], statement: str
) -> None:
    story(house)
    assert broken(house.db) == []
    bend(house, statement)
    assert name in found(house)


def test_two_attempts_of_one_submission_at_once_are_a_breach(house: House) -> None:
    house.queue(house.accept())
    ledger.rerun(house.db, 1, reason="again")
    bend(house, "UPDATE attempts SET state = 'queued' WHERE id = 1")
    assert "lease" in found(house, settled=False)


def test_a_held_attempt_without_its_worker_is_a_breach_at_any_moment(house: House) -> None:
    house.run(house.accept())
    bend(house, "UPDATE attempts SET worker = NULL")
    assert found(house, settled=False) == {"lease"}


def test_no_more_sentences_are_kept_than_anybody_reads(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.invariants.AT_A_TIME", 2)
    monkeypatch.setattr("leaderboard.invariants.MOST", 3)
    for number in range(5):
        house.accept(f"team-{number}")
    said = broken(house.db)
    assert said == [
        "end: attempt 1 is still received",
        "end: attempt 2 is still received",
        "end: attempt 3 is still received",
        "end: and 2 more",
    ]
    assert MOST > 3


def test_the_command_says_what_holds_and_ends_with_1_where_something_does_not(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.admin.verify.open_database", lambda: house.db)
    scored(house)
    told = CliRunner().invoke(verify, ["--settled"])
    assert told.exit_code == 0, told.output
    assert told.output.count("holds") == len(INVARIANTS)
    assert "All hold for 1 submissions and 1 attempts." in told.output

    bend(house, "DELETE FROM reports")
    told = CliRunner().invoke(verify, [])
    assert told.exit_code == 1
    assert "attempt 1 is scored and has reports of nothing, not of f1" in told.output

    document = json.loads(CliRunner().invoke(verify, ["--json"]).output)
    assert {one["name"]: one["broken"] for one in document["invariants"]} == {
        one.name: int(one.name == "report") for one in INVARIANTS
    }
