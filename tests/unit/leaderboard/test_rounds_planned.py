"""The round that begins by itself: at its instant, late after downtime, once, and never unmeant."""

import json
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from click.testing import CliRunner
from house import TOML, House, report
from sqlalchemy import select

from leaderboard import competition, ledger, rounds, schedule
from leaderboard.admin.cli import admin
from leaderboard.db.engine import Database
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.db.models import Round, Submission
from leaderboard.db.people import Lock
from leaderboard.rounds import Ran
from leaderboard.rules import Schedule
from leaderboard.schedule import Agenda, instant

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day, ...


def codes(ran: Ran) -> dict[str, str]:
    return {line.team: line.code for line in ran.lines}


def submissions(house: House) -> list[tuple[int, str]]:
    with house.db.read() as session:
        rows = session.execute(select(Submission.id, Submission.ref).order_by(Submission.id))
        return [(number, ref) for number, ref in rows]


def planned(house: House) -> list[tuple[str, datetime, str]]:
    with house.db.read() as session:
        rows = session.scalars(select(Round).order_by(Round.month))
        return [(row.month, row.at, row.reason) for row in rows]


def look(house: House, *moment: int) -> Agenda:
    if moment:
        house.clock.now = at(*moment)
    return schedule.look(house.db)


def load(house: House, **values: object) -> None:
    lines = "".join(f"{key} = {str(value).lower()}\n" for key, value in values.items())
    competition.load(house.db, f"{TOML}[round]\n{lines}")


@pytest.mark.parametrize(
    ("given", "month", "expected"),
    [
        (Schedule(), "2026-12", at(2026, 12, 1)),
        (Schedule(), "2027-01", at(2027, 1, 1)),
        (Schedule(day=28, hour=23), "2028-02", at(2028, 2, 28, 23)),
    ],
)
def test_the_instant_of_a_month_is_utc(given: Schedule, month: str, expected: datetime) -> None:
    assert instant(given, month) == expected


def test_the_first_look_plans_the_next_instant_and_begins_nothing(house: House) -> None:
    house.team("owls")
    agenda = look(house, 2026, 11, 20, 12)
    assert agenda == Agenda((), seconds=(DECEMBER - at(2026, 11, 20, 12)).total_seconds())
    assert planned(house) == [("2026-12", DECEMBER, "by schedule")]
    assert look(house) == agenda
    assert len(planned(house)) == 1


def test_a_round_begins_at_its_first_instant_and_not_before(house: House) -> None:
    house.team("owls")
    look(house)
    before = look(house, 2026, 11, 30, 23, 59, 59, 999_000)
    assert (before.begun, before.seconds) == ((), pytest.approx(0.001))
    (ran,) = look(house, 2026, 12, 1).begun
    assert (ran.month, ran.reason, codes(ran)) == ("2026-12", "by schedule", {"owls": "submitted"})
    assert submissions(house) == [(1, "main")]
    assert look(house, 2026, 12, 1, 0, 1).begun == ()
    assert [month for month, _, _ in planned(house)] == ["2026-12", "2027-01"]


def test_a_beat_that_was_away_begins_the_months_round_late_and_once(house: House) -> None:
    house.team("owls")
    look(house, 2026, 11, 25)
    (ran,) = look(house, 2026, 12, 17, 15, 30).begun
    assert (ran.at, len(ran.attempts)) == (DECEMBER, 1)
    assert look(house, 2026, 12, 18).begun == ()
    assert schedule.upcoming(house.db, "spc") == at(2027, 1, 1)


def test_a_beat_that_was_away_for_months_begins_only_the_current_one(house: House) -> None:
    house.team("owls")
    look(house, 2026, 11, 25)
    (ran,) = look(house, 2027, 2, 3).begun
    assert (ran.month, ran.at) == ("2027-02", at(2027, 2, 1))
    assert look(house).begun == ()
    assert [month for month, _, _ in planned(house)] == ["2027-02", "2027-03"]
    assert len(submissions(house)) == 1


def test_a_crash_half_way_is_made_up_for_at_the_next_look(house: House) -> None:
    for name in ("ants", "bees"):
        house.team(name)
    look(house)
    house.clock.now = DECEMBER
    rounds.run(house.db, "spc", reason="by schedule", registered_by=at(1990, 1, 1))
    (ran,) = look(house).begun
    assert codes(ran) == {"ants": "submitted", "bees": "submitted"}


def test_who_registered_after_the_instant_is_not_surprised_by_it(house: House) -> None:
    house.team("owls")
    look(house)
    house.clock.now = at(2026, 12, 3)
    house.team("late")
    (ran,) = look(house, 2026, 12, 4).begun
    assert codes(ran) == {"late": "not_yet", "owls": "submitted"}
    assert look(house, 2026, 12, 5).begun == ()
    by_hand = rounds.run(house.db, "spc")
    assert codes(by_hand) == {"late": "submitted", "owls": "submitted"}
    assert by_hand.reason == "by schedule"


def test_who_registered_at_the_instant_itself_is_in_it(house: House) -> None:
    look(house)
    house.clock.now = DECEMBER
    house.team("owls")
    assert codes(look(house).begun[0]) == {"owls": "submitted"}


def test_a_schedule_that_is_switched_on_later_waits_for_its_next_instant(house: House) -> None:
    house.team("owls")
    load(house, automatic=False)
    assert look(house, 2026, 12, 1) == Agenda((), seconds=None)
    assert planned(house) == []
    load(house, automatic=True)
    assert look(house, 2026, 12, 15).begun == ()
    assert planned(house) == [("2027-01", at(2027, 1, 1), "by schedule")]


def test_a_schedule_that_is_switched_off_forgets_what_it_planned(house: House) -> None:
    house.team("owls")
    look(house)
    load(house, automatic=False)
    assert look(house, 2026, 12, 1) == Agenda((), seconds=None)
    assert planned(house) == []


def test_a_changed_schedule_moves_what_is_planned_but_not_into_the_past(house: House) -> None:
    house.team("owls")
    look(house, 2026, 11, 30)
    load(house, day=10, hour=6)
    assert look(house, 2026, 11, 30, 1).begun == ()
    assert planned(house) == [("2026-12", at(2026, 12, 10, 6), "by schedule")]
    load(house, day=5)
    assert look(house, 2026, 12, 7).begun == ()
    assert planned(house) == [("2026-12", at(2026, 12, 10, 6), "by schedule")]
    (ran,) = look(house, 2026, 12, 10, 6).begun
    assert codes(ran) == {"owls": "submitted"}
    assert planned(house)[-1] == ("2027-01", at(2027, 1, 5), "by schedule")


def test_a_round_run_by_hand_before_its_instant_is_the_months_round(house: House) -> None:
    house.team("owls")
    load(house, day=20)
    look(house, 2026, 12, 2)
    house.clock.now = at(2026, 12, 10)
    by_hand = rounds.run(house.db, "spc", reason="before the holidays")
    assert (by_hand.at, codes(by_hand)) == (at(2026, 12, 10), {"owls": "submitted"})
    assert look(house, 2026, 12, 20).begun == ()
    assert planned(house) == [
        ("2026-12", at(2026, 12, 10), "before the holidays"),
        ("2027-01", at(2027, 1, 20), "by schedule"),
    ]


def test_a_month_without_an_open_phase_has_no_round(house: House) -> None:
    house.team("owls")
    competition.load(house.db, TOML.replace("opens = 2023-01-01", "opens = 2026-12-15"))
    look(house)
    assert look(house, 2026, 12, 1).begun == ()
    assert look(house, 2026, 12, 15).begun == ()
    assert submissions(house) == []
    (ran,) = look(house, 2027, 1, 1).begun
    assert codes(ran) == {"owls": "submitted"}


def test_a_locked_competition_plans_nothing_and_is_no_error(house: House) -> None:
    house.team("owls")
    look(house)
    with house.db.write() as session:
        session.add(
            Lock(
                competition_id="spc",
                at=house.clock.now,
                protocol="{}",
                protocol_sha256="0" * 64,
                board="{}",
                seals=[],
            )
        )
    assert look(house, 2026, 12, 1) == Agenda((), seconds=None)
    assert (planned(house), submissions(house)) == ([], [])


def test_a_competition_that_cannot_be_read_keeps_no_other_from_its_round(house: House) -> None:
    house.team("owls")
    competition.load(house.db, TOML, chosen_id="broken")
    look(house)
    with house.db.write() as session:
        row = session.get_one(CompetitionRow, "broken")
        row.toml = "schema = 99"
    assert [ran.competition_id for ran in look(house, 2026, 12, 1).begun] == ["spc"]


def test_each_competition_has_its_own_round(house: House) -> None:
    house.team("owls")
    competition.load(house.db, f"{TOML}[round]\nday = 2\n", chosen_id="second")
    look(house)
    agenda = look(house, 2026, 12, 1)
    assert [ran.competition_id for ran in agenda.begun] == ["spc"]
    assert agenda.seconds == 86_400.0


def test_two_beats_begin_one_round(house: House) -> None:
    names = ("ants", "bees", "cats", "dogs")
    for name in names:
        house.team(name)
    for moment in (at(2026, 11, 20), DECEMBER):
        house.clock.now = moment
        both(house)
    assert len(submissions(house)) == len(names)
    assert [month for month, _, _ in planned(house)] == ["2026-12", "2027-01"]
    assert [len(house.kinds(number)) for number in range(1, 5)] == [1] * 4


def both(house: House) -> None:
    """Two looks at the same time."""
    start = Barrier(2)
    failed: list[BaseException] = []

    def go() -> None:
        try:
            start.wait(timeout=10)
            schedule.look(house.db)
        except BaseException as error:  # the test's own thread tells of it
            failed.append(error)

    threads = [Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert failed == []


def test_a_whole_year_over_a_leap_february_is_twelve_rounds(house: House) -> None:
    house.team("owls")
    look(house, 2027, 6, 15)
    begun = []
    for month in range(7, 19):
        year, number = 2027 + (month - 1) // 12, (month - 1) % 12 + 1
        (ran,) = look(house, year, number, 1).begun
        begun.append(ran.month)
        (attempt,) = ran.attempts
        ledger.score(house.db, house.run(attempt), {"f1": report("f1", 0.2)})
    assert begun[0] == "2027-07"
    assert begun[-5:] == ["2028-02", "2028-03", "2028-04", "2028-05", "2028-06"]
    assert len(set(begun)) == len(submissions(house)) == 12


def test_the_round_is_shown_as_it_stands(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.admin.output.open_database", lambda: house.db)

    def shown(*arguments: str) -> Any:
        done = CliRunner().invoke(admin, ["round", "show", *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return json.loads(done.output) if "--json" in arguments else done.output

    house.team("owls")
    assert shown("--json") == {"next": None}
    assert "There is no round of this month." in shown()
    look(house)
    assert "Next round by schedule: begins at 2026-12-01 00:00 UTC." in shown()
    document = shown("--month", "2026-12", "--json")
    assert (document["teams"][0]["code"], document["began"]) == ("planned", "2026-12-01T00:00:00Z")
    look(house, 2026, 12, 1)
    document = shown("--json")
    assert (document["teams"][0]["code"], document["next"]) == (
        "submitted",
        "2027-01-01T00:00:00Z",
    )
    assert "Round of 2026-12 in spc: 2026-12-01 00:00 UTC, by schedule." in shown()


def test_a_month_that_is_none_is_refused(house: House) -> None:
    done = CliRunner().invoke(admin, ["round", "show", "--month", "2026-13"])
    assert done.exit_code == 2
    assert "'2026-13' is no month" in done.output


def test_a_look_that_finds_all_in_order_writes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.team("owls")
    look(house)

    def no_write(_: Database) -> None:
        raise AssertionError("it wrote")

    monkeypatch.setattr(Database, "write", no_write)
    assert look(house).seconds == (DECEMBER - house.clock.now).total_seconds()
