"""`rostrum admin workers` and `submissions fail`: what organizers see and do."""

import pytest
from adminline import refusal, run, run_json
from house import House

from leaderboard import fleet, ledger
from leaderboard.db.models import Kind
from leaderboard.states import Queue, State, channel


@pytest.fixture(autouse=True)
def here(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The commands work on the house's database, with the house's clock."""
    for module in ("workers", "moves"):
        monkeypatch.setattr(f"leaderboard.admin.{module}.open_database", lambda: house.db)
    return house


def announce(house: House, name: str) -> None:
    names = [channel(queue) for queue in Queue]
    fleet.announce(house.db, name, queues=names, slots=2, gpu=None, version="0.1.0")


def test_without_workers_the_list_says_how_to_start_one() -> None:
    assert "start one with `rostrum worker`" in run("workers", "list")
    assert run_json("workers", "list") == {"workers": [], "waiting": None}


def test_the_list_says_who_works_who_is_silent_and_what_waits(house: House) -> None:
    announce(house, "old")
    house.clock.tick(minutes=5)
    announce(house, "new")
    house.lease(house.accept(), worker="new")
    assert "2 preflight, 2" in run("workers", "list")
    found = {row["name"]: row for row in run_json("workers", "list")["workers"]}
    assert (found["old"]["state"], found["new"]["state"]) == ("silent", "at work")
    assert found["new"]["attempts"] == [1]
    assert found["new"]["queues"] == ["preflight.cpu", "evaluate.cpu", "converse.cpu"]
    house.accept("crows")
    house.clock.tick(minutes=5)
    waits = run_json("workers", "list")["waiting"]
    assert waits.startswith("1 submission waits")
    assert waits in run("workers", "list").replace("\n", " ")


def test_drained_and_resumed(house: House) -> None:
    announce(house, "w1")
    house.lease(house.accept())
    text = run("workers", "drain", "w1", "--reason", "a new disk")
    assert "gets nothing new. It finishes attempt 1 first." in text
    document = run_json("workers", "drain", "w1", "--reason", "again")
    assert (document["changed"], document["drain_reason"]) == (False, "a new disk")
    assert "a new disk. Put it back: `rostrum admin workers resume w1`" in run("workers", "list")
    assert run("workers", "resume", "w1") == "Worker w1 takes attempts again.\n"
    house.clock.tick(minutes=5)
    assert "was not drained; its losses are forgotten. It was last heard of" in run(
        "workers", "resume", "w1"
    )


def test_an_unknown_worker_and_a_blank_reason_are_refused(house: House) -> None:
    announce(house, "w1")
    assert refusal("workers", "drain", "w2", "--reason", "?").code == "unknown_worker"
    assert refusal("workers", "drain", "w1", "--reason", " ").code == "bad_reason"


def test_a_name_with_controls_is_shown_without_them(house: House) -> None:
    announce(house, "w\x1b[31m1")
    assert "\x1b" not in run("workers", "list")


def test_what_waits_is_failed_at_once(house: House) -> None:
    house.accept()
    text = run("submissions", "fail", "1", "--code", "crashed", "--reason", "it is a copy")
    assert text == "Attempt 1 has failed; nothing was running.\n"
    assert house.attempt(1).verdict_code == "crashed"
    assert house.kinds(1) == [Kind.RESERVE, Kind.RELEASE]
    refused = refusal("submissions", "fail", "1", "--code", "crashed", "--reason", "again")
    assert refused.code == "attempt_final"


def test_what_runs_is_failed_once_its_worker_has_stopped(house: House) -> None:
    work = house.run(house.accept())
    arguments = ("submissions", "fail", "1", "--code", "worker_lost", "--reason", "flooded")
    document = run_json(*arguments, "--wait", "0", exit_code=1)
    assert (document["state"], document["verified"]) == ("running", None)
    ledger.stopped(house.db, work, gone=True)
    assert house.state(1) is State.FAILED
    assert house.kinds(1)[-1] is Kind.REFUND


def test_an_unknown_verdict_names_the_nearest(house: House) -> None:
    house.accept()
    error = refusal("submissions", "fail", "1", "--code", "crash", "--reason", "?")
    assert error.code == "unknown_verdict"
    assert "did you mean 'crashed'" in error.message
