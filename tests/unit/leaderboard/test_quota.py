"""The quota: reserved, charged once, given back when it should be, opening on the right day."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from house import House, report

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import competition, ledger, quota
from leaderboard.competition import of_row
from leaderboard.db.models import Attempt, Competition, Kind
from leaderboard.ledger import Work
from leaderboard.quota import Allowance, Usage
from leaderboard.states import MAX_RETRIES, State

ALLOWANCE = Allowance(scored_per_month=1, preflights_per_day=10)


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    hour, minute, second, micro = (*clock, 0, 0, 0, 0)[:4]
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)


def usage(house: House, name: str = "owls") -> Usage:
    with house.db.read() as session:
        row = session.get_one(Competition, house.competition_id)
        return quota.usage(session, house.team(name), of_row(row).allowance)


def lose_by_our_fault(house: House, name: str = "owls") -> int:
    """A run that fails by our fault after all retries."""
    attempt_id = house.accept(name)
    work = house.run(attempt_id)
    for _ in range(MAX_RETRIES):
        ledger.fail(house.db, work, OperatorError("engine_down"))
        work = house.lease(attempt_id)
    ledger.fail(house.db, work, OperatorError("engine_down"))
    return attempt_id


@pytest.mark.parametrize(
    ("moment", "month", "opens"),
    [
        (utc(2026, 1, 31, 23, 59, 59), "2026-01", utc(2026, 2, 1)),
        (utc(2026, 2, 28, 23, 59, 59), "2026-02", utc(2026, 3, 1)),
        (utc(2028, 2, 28, 23, 59, 59), "2028-02", utc(2028, 3, 1)),
        (utc(2028, 2, 29, 12), "2028-02", utc(2028, 3, 1)),
        (utc(2026, 2, 1), "2026-02", utc(2026, 3, 1)),
        (utc(2026, 12, 31, 23, 59, 59), "2026-12", utc(2027, 1, 1)),
        (
            datetime(2026, 2, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
            "2026-01",
            utc(2026, 2, 1),
        ),
        (
            datetime(2026, 1, 31, 13, 0, tzinfo=timezone(timedelta(hours=-12))),
            "2026-02",
            utc(2026, 3, 1),
        ),
    ],
)
def test_a_month_is_utc_and_ends_with_its_last_instant(
    moment: datetime, month: str, opens: datetime
) -> None:
    assert quota.month_of(moment) == month
    assert quota.next_month(moment) == opens
    assert quota.month_of(opens - timedelta(microseconds=1)) == month
    assert quota.month_of(opens) != month


@pytest.mark.parametrize(
    ("last", "first"),
    [
        (utc(2026, 1, 31, 23, 59, 59, 999_999), utc(2026, 2, 1)),
        (utc(2026, 2, 28, 23, 59, 59, 999_999), utc(2026, 3, 1)),
        (utc(2028, 2, 29, 23, 59, 59, 999_999), utc(2028, 3, 1)),
        (utc(2026, 12, 31, 23, 59, 59, 999_999), utc(2027, 1, 1)),
    ],
)
def test_a_used_month_opens_with_the_first_instant_of_the_next(
    house: House, last: datetime, first: datetime
) -> None:
    house.clock.now = last
    work = house.run(house.accept())
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    with pytest.raises(UsageError) as caught:
        house.accept()
    assert caught.value.code == "quota_used"
    assert f"The next submission opens at {quota.stamp(first)}" in caught.value.message
    house.clock.now = first
    house.accept()


def test_the_month_is_that_of_acceptance_however_late_it_ends(house: House) -> None:
    house.clock.now = utc(2026, 1, 31, 23, 59)
    attempt_id = house.accept()
    house.clock.now = utc(2026, 2, 1, 0, 5)
    work = house.run(attempt_id)
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    assert (usage(house).month, usage(house).used) == ("2026-02", 0)
    house.accept()


def test_a_loss_does_not_charge_twice(house: House) -> None:
    attempt_id = house.accept()
    work = house.run(attempt_id)
    house.clock.tick(seconds=100)
    ledger.sweep(house.db)
    work = house.lease(attempt_id)
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.CHARGE]
    assert usage(house).used == 1


def _passes(house: House, work: Work) -> None:
    ledger.score(house.db, work, {"f1": report("f1", 0.2)})


def _crashes(house: House, work: Work) -> None:
    ledger.fail(house.db, work, SubmissionError("crashed", detail="verb"))


@pytest.mark.parametrize("end", [_passes, _crashes])
def test_a_run_uses_the_month_whether_it_passes_or_fails(house: House, end: object) -> None:
    assert callable(end)
    end(house, house.run(house.accept()))
    assert usage(house).used == 1
    assert usage(house).opens == utc(2026, 12, 1)


def test_a_failed_preflight_leaves_the_month_unused(house: House) -> None:
    for _ in range(3):
        work = house.preflight(house.accept())
        ledger.fail(house.db, work, SubmissionError("crashed", detail="import"))
    assert usage(house).used == 0
    assert usage(house).preflights_used == 3
    house.accept()


def test_ten_preflights_a_day_then_the_next_day(house: House) -> None:
    for _ in range(10):
        work = house.preflight(house.accept())
        ledger.fail(house.db, work, SubmissionError("crashed", detail="import"))
    with pytest.raises(UsageError) as caught:
        house.accept()
    assert caught.value.code == "quota_used"
    assert "10 of 10 preflights" in caught.value.message
    assert "opens at 2026-11-21 00:00 UTC" in caught.value.message
    house.clock.now = utc(2026, 11, 21)
    house.accept()


def test_of_two_used_clocks_the_later_opens() -> None:
    moment = utc(2026, 11, 29, 12)

    def opening(used: int, preflights: int) -> datetime | None:
        return quota.opening(
            moment=moment, allowance=ALLOWANCE, used=used, allowed=1, preflights=preflights
        )

    assert opening(0, 9) is None
    assert opening(0, 10) == utc(2026, 11, 30)
    assert opening(1, 0) == utc(2026, 12, 1)
    assert opening(1, 10) == utc(2026, 12, 1)


def test_our_fault_refunds_twice_a_month_then_waits_for_an_organizer(house: House) -> None:
    for _ in range(2):
        attempt_id = lose_by_our_fault(house)
        assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.CHARGE, Kind.REFUND]
        assert usage(house).used == 0
    attempt_id = lose_by_our_fault(house)
    assert house.kinds(attempt_id) == [Kind.RESERVE, Kind.CHARGE, Kind.REFUND_WAITS]
    assert (usage(house).used, usage(house).refunds_waiting) == (1, 1)
    assert "1 refund waits for an organizer" in usage(house).sentence
    with pytest.raises(UsageError, match="1 refund waits"):
        house.accept()

    granted = ledger.grant(house.db, team_id=house.team(), reason="the engine was ours")
    assert (granted.used, granted.allowed, granted.opens) == (1, 2, None)
    house.accept()


def test_the_refunds_of_one_team_are_not_those_of_another(house: House) -> None:
    for _ in range(2):
        lose_by_our_fault(house, "owls")
    assert house.kinds(lose_by_our_fault(house, "cats"))[-1] is Kind.REFUND


def test_settling_twice_gives_back_once(house: House) -> None:
    attempt_id = lose_by_our_fault(house)
    with house.db.write() as session:
        attempt = session.get_one(Attempt, attempt_id)
        assert quota.settle(session, attempt, ours=True, reason="again") is None
        assert quota.charge(session, attempt) is False


def test_a_grant_counts_in_its_month_only(house: House) -> None:
    ledger.grant(house.db, team_id=house.team(), reason="a prize")
    assert usage(house).allowed == 2
    house.clock.now = utc(2026, 12, 1)
    assert usage(house).allowed == 1
    with pytest.raises(UsageError, match="no team 99"):
        ledger.grant(house.db, team_id=99, reason="nobody")


def test_places_are_a_sum_that_nothing_is_deleted_from() -> None:
    reserve, release = (1, Kind.RESERVE), (1, Kind.RELEASE)
    assert quota.places_used([]) == 0
    assert quota.places_used([reserve, (2, Kind.RESERVE), (2, Kind.CHARGE)]) == 2
    assert quota.places_used([reserve, release, (2, Kind.RESERVE)]) == 1
    assert quota.places_used([reserve, (1, Kind.CHARGE), (1, Kind.REFUND_WAITS)]) == 1
    assert quota.places_used([(None, Kind.GRANT)]) == 0


def test_the_sentence_says_what_is_used_and_when_the_next_opens(house: House) -> None:
    assert usage(house).sentence == (
        "Used in 2026-11 (UTC): 0 of 1 scored run; today: 0 of 10 preflights."
    )
    house.accept()
    assert usage(house).sentence == (
        "Used in 2026-11 (UTC): 1 of 1 scored run; today: 1 of 10 preflights. "
        "The next submission opens at 2026-12-01 00:00 UTC."
    )


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (utc(2022, 12, 31, 23, 59, 59), "opens at 2023-01-01 00:00 UTC"),
        (utc(2030, 1, 1), "no further phase is planned"),
    ],
)
def test_outside_of_the_phases_nothing_is_accepted(
    house: House, moment: datetime, text: str
) -> None:
    house.clock.now = moment
    with pytest.raises(UsageError, match=text) as caught:
        house.accept()
    assert caught.value.code == "phase_closed"


def test_the_first_instant_of_a_phase_is_open(house: House) -> None:
    house.clock.now = utc(2023, 1, 1)
    house.accept()


def test_the_same_reference_again_is_the_same_attempt_while_it_waits(house: House) -> None:
    first = ledger.accept(house.db, team_id=house.team(), ref="main")
    again = ledger.accept(house.db, team_id=house.team(), ref="main")
    assert (again.attempt_id, again.submission_id, again.new) == (
        first.attempt_id,
        first.submission_id,
        False,
    )
    assert house.kinds(first.attempt_id) == [Kind.RESERVE]


def test_a_second_submission_waits_for_the_end_of_the_first(house: House) -> None:
    commit = "A" * 40
    work = house.lease(house.accept(ref=commit))
    assert house.accept(ref=commit.lower()) == work.attempt_id
    for other in ("main", "b" * 40):
        with pytest.raises(UsageError, match="is still fetching") as caught:
            house.accept(ref=other)
        assert caught.value.code == "attempt_under_way"
    ledger.fail(house.db, work, SubmissionError("commit_not_found"))
    assert house.state(work.attempt_id) is State.FAILED
    house.accept(ref="main")


def test_a_branch_that_was_fetched_may_have_moved(house: House) -> None:
    house.lease(house.accept(ref="main"))
    with pytest.raises(UsageError, match="is still fetching"):
        house.accept(ref="main")


@pytest.mark.parametrize(
    "ref", ["", " ", "-u", "--upload-pack=x", "a..b", "a//b", "a/", "x.lock", "a b", "é", "a" * 256]
)
def test_a_reference_is_a_commit_or_a_branch(house: House, ref: str) -> None:
    with pytest.raises(UsageError) as caught:
        house.accept(ref=ref)
    assert caught.value.code == "bad_ref"


def test_nobody_is_no_team(house: House) -> None:
    with pytest.raises(UsageError, match="no team 99"):
        ledger.accept(house.db, team_id=99, ref="main")


def test_the_allowance_is_the_competitions(house: House) -> None:
    text = competition_text(house) + "[quota]\nscored_per_month = 2\n[preflight]\nper_day = 3\n"
    competition.load(house.db, text)
    for _ in range(2):
        work = house.run(house.accept())
        ledger.score(house.db, work, {"f1": report("f1", 0.2)})
    assert usage(house).opens == utc(2026, 12, 1)
    assert usage(house).preflights_allowed == 3


def competition_text(house: House) -> str:
    with house.db.read() as session:
        return session.get_one(Competition, house.competition_id).toml
