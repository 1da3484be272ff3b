"""The commit of a round's branch is the one of its instant, put once, unless a fetch was first."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from house import House
from sqlalchemy import select

from harness.errors import OperatorError
from leaderboard import ledger, resolutions, rounds
from leaderboard.board import submission
from leaderboard.db.models import RoundEntry
from leaderboard.resolutions import Branch
from leaderboard.states import State

FIRST = datetime(2026, 12, 1, tzinfo=UTC)
COMMIT = "d" * 40


@pytest.fixture
def house(house: House) -> House:
    """At the first instant of a month."""
    house.clock.now = FIRST
    return house


def began(house: House, *names: str) -> list[Branch]:
    """The branches of a round of these teams."""
    for name in names:
        house.team(name)
    rounds.run(house.db, "spc")
    return list(resolutions.unresolved(house.db))


def entry(house: House, submission_id: int) -> tuple[str, str]:
    """Code and note of the round's entry."""
    with house.db.read() as session:
        chosen = select(RoundEntry).where(RoundEntry.submission_id == submission_id)
        row = session.scalars(chosen).one()
        return row.code, row.note


def test_what_a_round_submits_waits_for_its_commit(house: House) -> None:
    house.accept("alone")
    first, second = began(house, "owls", "cats")
    assert [one.team for one in (first, second)] == ["cats", "owls"]
    assert (first.ref, first.repo_url) == ("main", "https://git.example/cats")


def test_a_commit_is_recorded_with_its_line_and_is_what_the_worker_fetches(house: House) -> None:
    (branch,) = began(house, "owls")
    house.clock.tick(seconds=3)
    assert resolutions.record(house.db, branch, COMMIT)
    assert resolutions.unresolved(house.db) == []
    note = "main is at dddddddddddd"
    assert entry(house, 1) == ("submitted", f"{note}, as submission 1")
    view = submission(house.db, 1)
    assert (view.commit, view.timeline[-1].note) == (COMMIT, note)
    assert house.lease(1).commit == COMMIT


def test_the_first_answer_is_kept(house: House) -> None:
    (branch,) = began(house, "owls")
    assert resolutions.record(house.db, branch, COMMIT)
    assert not resolutions.record(house.db, branch, "e" * 40)
    assert submission(house.db, 1).commit == COMMIT
    assert len(submission(house.db, 1).timeline) == 2


def test_two_beats_that_ask_at_once_record_one(house: House) -> None:
    (branch,) = began(house, "owls")
    start, told = Barrier(2), []

    def go(commit: str) -> None:
        start.wait(timeout=10)
        told.append((resolutions.record(house.db, branch, commit), commit))

    threads = [Thread(target=go, args=(letter * 40,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    (kept,) = [commit for recorded, commit in told if recorded]
    assert len(told) == 2
    assert submission(house.db, 1).commit == kept


def test_a_worker_that_was_faster_settles_the_commit(house: House) -> None:
    (branch,) = began(house, "owls")
    work = house.lease(1)
    assert resolutions.unresolved(house.db) == []
    assert not resolutions.record(house.db, branch, COMMIT)
    ledger.advance(house.db, work, State.BUILDING, commit="f" * 40, tracks=("f1",))
    assert not resolutions.record(house.db, branch, COMMIT)
    assert submission(house.db, 1).commit == "f" * 40


def test_a_fetch_that_failed_by_our_fault_leaves_the_branch_to_be_asked_for(house: House) -> None:
    began(house, "owls")
    ledger.fail(house.db, house.lease(1), OperatorError("disk_full"))
    (branch,) = resolutions.unresolved(house.db)
    assert resolutions.record(house.db, branch, COMMIT)


@pytest.mark.parametrize("end", ["cancelled", "stopping"])
def test_what_is_to_end_takes_no_commit(house: House, end: str) -> None:
    (branch,) = began(house, "owls")
    if end == "stopping":
        house.lease(1)
    ledger.cancel(house.db, 1, reason="not ready")
    assert resolutions.unresolved(house.db) == []
    assert not resolutions.record(house.db, branch, COMMIT)
    assert submission(house.db, 1).commit is None


def test_a_branch_that_did_not_move_is_passed_over_before_anybody_fetches_it(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    (branch,) = began(house)
    assert resolutions.record(house.db, branch, "c" * 40)
    assert (house.state(2), house.attempt(2).fence) == (State.CANCELLED, 0)
    assert entry(house, 2) == (
        "unmoved",
        "main did not move: cccccccccccc is scored as submission 1",
    )
    assert submission(house.db, 2).quota.used == 0


def test_a_repository_that_does_not_answer_keeps_the_branch_and_says_so(house: House) -> None:
    (branch,) = began(house, "owls")
    resolutions.unanswered(house.db, branch, reason="no answer, clone_refused (timeout)")
    code, note = entry(house, 1)
    assert (code, note) == (
        "submitted",
        "main as submission 1; no answer, clone_refused (timeout): a worker asks again",
    )
    assert resolutions.unresolved(house.db) == [branch]
    assert house.lease(1).ref == "main"


def test_it_is_asked_again_for_an_hour(house: House) -> None:
    (branch,) = began(house, "owls")
    house.clock.tick(minutes=60)
    assert resolutions.unresolved(house.db) == [branch]
    house.clock.tick(seconds=1)
    assert resolutions.unresolved(house.db) == []


def test_a_rerun_of_what_was_never_resolved_is_asked_for_and_not_passed_over(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    began(house)
    ledger.rerun(house.db, 2, reason="the organizers want it")
    (branch,) = resolutions.unresolved(house.db)
    assert branch.attempt_id == 3
    assert resolutions.record(house.db, branch, "c" * 40)
    assert house.state(3) is State.RECEIVED
