"""The monthly round: every team once, whatever happens between two of its runs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from house import TOML, House, report
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import competition, ledger, rounds
from leaderboard.board import submission
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Kind, Round, RoundEntry, Submission
from leaderboard.leases import work_of
from leaderboard.ledger import Work
from leaderboard.rounds import Ran
from leaderboard.states import State

FIRST = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def house(house: House) -> House:
    """At the first instant of a month."""
    house.clock.now = FIRST
    return house


def run(house: House, reason: str = "") -> Ran:
    return rounds.run(house.db, house.competition_id, reason=reason)


def codes(ran: Ran) -> dict[str, str]:
    return {line.team: line.code for line in ran.lines}


def submissions(house: House) -> list[tuple[int, str]]:
    """Team and reference of each submission."""
    with house.db.read() as session:
        chosen = select(Submission.team_id, Submission.ref).order_by(Submission.id)
        return [(team, ref) for team, ref in session.execute(chosen)]


def fetched(house: House, attempt_id: int, commit: str = "c" * 40) -> tuple[bool, Work]:
    """Whether the attempt is passed over once its worker has this commit."""
    work = house.lease(attempt_id)
    return ledger.passed_over(house.db, work, commit=commit), work


def test_a_round_submits_the_registered_branch_of_every_team(house: House) -> None:
    owls, cats = house.team("owls"), house.team("cats")
    ran = run(house, "the first of the month")
    assert codes(ran) == {"cats": "submitted", "owls": "submitted"}
    assert (ran.month, ran.reason, ran.closed) == ("2026-12", "the first of the month", None)
    assert sorted(submissions(house)) == sorted([(owls, "main"), (cats, "main")])
    assert ran.attempts == (1, 2)
    assert [hint.attempt_id for hint in ledger.waiting(house.db)] == [1, 2]
    assert house.kinds(1) == [Kind.RESERVE]
    first = submission(house.db, 1).timeline[0]
    assert first.note == "submitted main, by the round of 2026-12"


def test_a_second_run_adds_nothing(house: House) -> None:
    house.team("owls")
    run(house, "on time")
    again = run(house)
    assert (again.attempts, len(submissions(house))) == ((), 1)
    (line,) = again.lines
    assert (line.code, line.submission_id, line.at, line.new) == ("submitted", 1, FIRST, False)
    assert again.reason == "on time"


def test_a_team_that_was_passed_over_stays_so_when_the_round_is_run_again(house: House) -> None:
    ledger.cancel(house.db, house.accept("owls"), reason="not ready")
    house.queue(house.accept("owls"))
    assert codes(run(house)) == {"owls": "attempt_under_way"}
    ledger.cancel(house.db, 2, reason="not ready")
    house.clock.tick(days=1)
    assert codes(run(house)) == {"owls": "attempt_under_way"}
    assert len(submissions(house)) == 2


def test_a_run_on_the_twentieth_catches_up(house: House) -> None:
    house.team("owls")
    run(house)
    house.clock.now = datetime(2026, 12, 20, 15, 30, tzinfo=UTC)
    house.team("late")
    ran = run(house)
    assert [(line.team, line.new) for line in ran.lines] == [("late", True), ("owls", False)]
    assert codes(ran) == {"late": "submitted", "owls": "submitted"}


@pytest.mark.parametrize(
    ("last", "first", "months"),
    [
        (
            datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
            ["2026-12", "2027-01"],
        ),
        (
            datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
            ["2028-02", "2028-03"],
        ),
    ],
)
def test_the_next_instant_is_another_months_round(
    house: House, last: datetime, first: datetime, months: list[str]
) -> None:
    house.clock.now = last
    house.team("owls")
    assert len(run(house).attempts) == 1
    ledger.score(house.db, house.run(1), {"f1": report("f1", 0.2)})
    house.clock.now = first
    assert len(run(house).attempts) == 1
    with house.db.read() as session:
        assert list(session.scalars(select(Round.month).order_by(Round.id))) == months
    assert [house.attempt(number).month for number in (1, 2)] == months


@dataclass
class CountedClock:
    """A clock of its own for a run; the transaction of this number does what the test wants."""

    house: House
    turn: int
    then: datetime | None
    count: int = 0

    def __call__(self, session: Session) -> datetime:
        self.count += 1
        if self.count >= self.turn:
            if self.then is None:
                raise OSError("the machine lost its power")
            return self.then
        return self.house.clock.now


def test_a_crash_between_two_teams_is_made_up_for(house: House) -> None:
    for name in ("ants", "bees", "cats"):
        house.team(name)
    crashing = Database(house.db.engine, CountedClock(house, turn=3, then=None))
    with pytest.raises(OSError, match="lost its power"):
        rounds.run(crashing, "spc")
    assert len(submissions(house)) == 1
    ran = run(house)
    assert [(line.team, line.code, line.new) for line in ran.lines] == [
        ("ants", "submitted", False),
        ("bees", "submitted", True),
        ("cats", "submitted", True),
    ]
    assert len(submissions(house)) == 3
    assert [house.kinds(number) for number in (1, 2, 3)] == [[Kind.RESERVE]] * 3


def test_a_crash_in_the_middle_of_a_team_leaves_neither_half(house: House) -> None:
    house.team("owls")

    def power_cut(*_: object) -> None:
        raise OSError("the machine lost its power")

    event.listen(RoundEntry, "before_insert", power_cut)
    try:
        with pytest.raises(OSError, match="lost its power"):
            run(house)
    finally:
        event.remove(RoundEntry, "before_insert", power_cut)
    assert (submissions(house), ledger.waiting(house.db)) == ([], [])
    assert codes(run(house)) == {"owls": "submitted"}
    assert len(submissions(house)) == 1


def test_a_month_that_ends_during_the_run_is_no_month_of_the_rest(house: House) -> None:
    for name in ("ants", "bees"):
        house.team(name)
    house.clock.now = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    turned = datetime(2027, 1, 1, tzinfo=UTC)
    ran = rounds.run(Database(house.db.engine, CountedClock(house, turn=3, then=turned)), "spc")
    assert codes(ran) == {"ants": "submitted", "bees": "month_over"}
    assert (ran.month, len(submissions(house))) == ("2026-12", 1)
    house.clock.now = turned
    after = run(house)
    assert after.month == "2027-01"
    assert codes(after) == {"ants": "attempt_under_way", "bees": "submitted"}


def test_two_runs_at_once_are_one_round(house: House) -> None:
    for name in ("ants", "bees", "cats", "dogs"):
        house.team(name)
    start = Barrier(2)
    found: list[Ran] = []

    def go() -> None:
        start.wait(timeout=10)
        found.append(run(house))

    threads = [Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(found[0].attempts + found[1].attempts) == [1, 2, 3, 4]
    assert len(submissions(house)) == 4
    with house.db.read() as session:
        assert len(session.scalars(select(Round)).all()) == 1
        assert len(session.scalars(select(RoundEntry)).all()) == 4


def test_who_is_passed_over_is_told_why(house: House) -> None:
    house.score("used", f1=0.2)
    house.queue(house.accept("busy"))
    house.accept("waiting", ref="main")
    house.team("free")
    ran = run(house)
    assert codes(ran) == {
        "busy": "attempt_under_way",
        "free": "submitted",
        "used": "quota_used",
        "waiting": "attempt_under_way",
    }
    notes = {line.team: line.note for line in ran.lines}
    assert "The next submission opens at 2027-01-01 00:00 UTC" in notes["used"]
    assert notes["busy"] == "submission 2 of team busy is still queued"
    assert notes["waiting"] == "submission 3 of team waiting waits already"
    assert ran.attempts == (4,)


def test_while_no_phase_is_open_the_whole_round_says_so_and_is_made_up_for(house: House) -> None:
    house.team("owls")
    later = TOML.replace("opens = 2023-01-01", "opens = 2026-12-15")
    competition.load(house.db, later)
    ran = run(house)
    assert codes(ran) == {"owls": "phase_closed"}
    assert ran.closed is not None
    assert "the next phase opens at 2026-12-15 00:00 UTC" in ran.closed
    assert ran.lines[0].note == ran.closed
    assert submissions(house) == []

    house.clock.now = datetime(2026, 12, 20, tzinfo=UTC)
    caught_up = run(house)
    assert codes(caught_up) == {"owls": "submitted"}
    assert (caught_up.closed, caught_up.attempts) == (None, (1,))


def test_a_baseline_takes_part_until_it_has_a_score_on_the_split(house: House) -> None:
    house.score("scored", baseline=True, f1=0.1)
    house.team("fresh", baseline=True)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    ran = run(house)
    assert codes(ran) == {"fresh": "submitted", "scored": "baseline_scored"}
    competition.load(house.db, TOML.replace('split = "test"', 'split = "valid"'))
    house.clock.now = datetime(2027, 2, 1, tzinfo=UTC)
    assert codes(run(house))["scored"] == "submitted"


def test_a_branch_that_did_not_move_is_passed_over_once_its_commit_is_known(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    run(house)
    over, _ = fetched(house, 2)
    assert over
    assert house.state(2) is State.CANCELLED
    assert house.kinds(2) == [Kind.RESERVE, Kind.RELEASE]
    (line,) = run(house).lines
    note = "main did not move: cccccccccccc is scored as submission 1"
    assert (line.code, line.note, line.submission_id) == ("unmoved", note, 2)
    view = submission(house.db, 2)
    assert view.timeline[-1].note == f"passed over by the round: {note}"
    assert (view.commit, view.quota.used) == ("c" * 40, 0)


def test_a_branch_that_moved_goes_on(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    run(house)
    over, work = fetched(house, 2, commit="d" * 40)
    assert not over
    ledger.advance(house.db, work, State.BUILDING, commit="d" * 40, tracks=("f1",))
    assert codes(run(house)) == {"owls": "submitted"}


def test_the_same_commit_on_another_split_or_of_another_team_is_a_move(house: House) -> None:
    house.score("owls", f1=0.2)
    competition.load(house.db, TOML.replace('split = "test"', 'split = "valid"'))
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    house.team("cats")
    assert [line.submission_id for line in run(house).lines] == [2, 3]
    assert [fetched(house, number)[0] for number in (2, 3)] == [False, False]


def test_who_submits_the_same_commit_by_hand_is_not_passed_over(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    assert not fetched(house, house.accept("owls"))[0]


def test_a_rerun_of_what_a_round_submitted_is_not_passed_over(house: House) -> None:
    house.team("owls")
    run(house)
    ledger.score(house.db, house.run(1), {"f1": report("f1", 0.2)})
    ledger.rerun(house.db, 1, reason="again")
    assert not fetched(house, 2)[0]
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    ledger.cancel(house.db, 2, reason="enough")
    ledger.stopped(house.db, leased(house, 2), gone=True)
    run(house)
    assert fetched(house, 3)[0]
    ledger.rerun(house.db, 2, reason="the organizers want it nevertheless")
    assert not fetched(house, 4)[0]


def leased(house: House, attempt_id: int) -> Work:
    with house.db.read() as session:
        return work_of(session, session.get_one(Attempt, attempt_id))


def test_an_attempt_that_was_asked_to_stop_is_not_passed_over(house: House) -> None:
    house.score("owls", f1=0.2)
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    run(house)
    work = house.lease(2)
    ledger.cancel(house.db, 2, reason="too loud")
    with pytest.raises(ledger.StopAsked):
        ledger.passed_over(house.db, work, commit="c" * 40)
    assert codes(run(house)) == {"owls": "submitted"}


def test_a_round_of_nobody_and_of_no_competition(house: House) -> None:
    assert run(house).lines == ()
    with pytest.raises(UsageError, match="'cps' is unknown; known: spc"):
        rounds.run(house.db, "cps")
