"""`rostrum admin submissions rerun|cancel|withhold`, `quota show`, `round run`: what is printed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from adminline import invoke, refusal, run, run_json
from house import House

from harness.errors import OperatorError, SubmissionError
from leaderboard import ledger
from leaderboard.db.models import Kind
from leaderboard.ledger import Work
from leaderboard.states import MAX_RETRIES, State


@pytest.fixture(autouse=True)
def here(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The commands work on the house's database, with the house's clock; hints stay in memory."""
    for module in ("output", "moves", "submissions"):
        monkeypatch.setattr(f"leaderboard.admin.{module}.open_database", lambda: house.db)
    monkeypatch.setenv("ROSTRUM_BROKER_URL", "memory://")
    monkeypatch.delenv("ROSTRUM_COMPETITION", raising=False)
    return house


@pytest.fixture
def obedient(house: House) -> Iterator[Any]:
    """Starts a worker that does nothing but beat, and stop when it is asked to."""
    ended = Event()
    threads: list[Thread] = []

    def start(work: Work, *, gone: bool) -> None:
        def beat() -> None:
            while not ledger.heartbeat(house.db, work).stop:
                if ended.wait(0.05):
                    return
            ledger.stopped(house.db, work, gone=gone)

        threads.append(Thread(target=beat))
        threads[-1].start()

    yield start
    ended.set()
    for thread in threads:
        thread.join(timeout=20)


def test_a_rerun_is_one_line_and_a_document(house: House) -> None:
    house.score("owls", f1=0.2)
    assert run("submissions", "rerun", "1", "--reason", "a bug of ours") == (
        "Submission 1 runs again, as attempt 2.\n"
    )
    again = run("submissions", "rerun", "1", "--reason", "a second click")
    assert "still waits for a worker; nothing new was made" in again
    house.lease(2)
    assert run_json("submissions", "rerun", "1", "--reason", "once more") == {
        "submission": 1,
        "attempt": 3,
        "new": True,
        "reason": "once more",
    }
    assert run_json("submissions", "rerun", "1", "--reason", "again")["new"] is False
    assert "rerun of attempt 2: once more" in run("submissions", "show", "1")


def test_what_waits_is_cancelled_at_once(house: House) -> None:
    house.accept()
    assert run_json("submissions", "cancel", "1", "--reason", "asked  by\nthe team") == {
        "submission": 1,
        "attempt": 1,
        "state": "cancelled",
        "verified": None,
        "reason": "asked by the team",
    }
    house.accept("cats")
    text = run("submissions", "cancel", "2", "--reason", "asked by the team")
    assert text == "Attempt 2 is cancelled; nothing was running.\n"
    assert refusal("submissions", "cancel", "2", "--reason", "again").code == "attempt_final"


def test_a_cancel_waits_until_the_sandbox_is_verified_gone(house: House, obedient: Any) -> None:
    obedient(house.run(house.accept()), gone=True)
    document = run_json("submissions", "cancel", "1", "--reason", "too loud")
    assert (document["state"], document["verified"]) == ("cancelled", True)
    obedient(house.run(house.accept("cats")), gone=True)
    text = run("submissions", "cancel", "2", "--reason", "too loud")
    assert text == (
        "Attempt 2 is cancelled; its worker ended the sandbox and verified that it is gone.\n"
    )


def test_a_sandbox_that_is_left_is_a_failure_with_its_name(house: House, obedient: Any) -> None:
    obedient(house.run(house.accept()), gone=False)
    document = run_json("submissions", "cancel", "1", "--reason", "too loud", exit_code=1)
    assert (document["state"], document["verified"]) == ("cancelled", False)
    obedient(house.run(house.accept("cats")), gone=False)
    text = run("submissions", "cancel", "2", "--reason", "too loud", exit_code=1)
    assert "nobody could verify that its sandbox is gone" in text
    assert "rostrum-2-*" in text


@pytest.mark.parametrize("wait", ["0", "0.3"])
def test_a_worker_that_does_not_hear_is_said_to_be_still_at_it(house: House, wait: str) -> None:
    house.run(house.accept())
    asked = ("submissions", "cancel", "1", "--reason", "too loud", "--wait", wait)
    document = run_json(*asked, exit_code=1)
    assert (document["state"], document["verified"]) == ("running", None)
    text = run(*asked, exit_code=1)
    assert text.startswith("Attempt 1 is still running: its worker was asked to stop")
    assert "rostrum admin submissions show 1" in text


def test_ctrl_c_ends_the_wait_and_leaves_the_request(house: House) -> None:
    work = house.run(house.accept())
    program = (  # a shell may have started us with the signal ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from harness.cli.main import main; main()"
    )
    url = house.db.engine.url.render_as_string(hide_password=False)
    typed = ["admin", "submissions", "cancel", "1", "--reason", "too loud"]
    with subprocess.Popen(
        [sys.executable, "-c", program, *typed],
        env=os.environ | {"ROSTRUM_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not ledger.heartbeat(house.db, work).stop:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert text.startswith("Attempt 1 is still running: its worker was asked to stop")


def test_an_attempt_that_failed_first_was_not_cancelled(house: House) -> None:
    work = house.run(house.accept())
    failing = Thread(
        target=lambda: (
            Event().wait(0.5),
            ledger.fail(house.db, work, SubmissionError("crashed")),
        )
    )
    failing.start()
    text = run("submissions", "cancel", "1", "--reason", "too loud", exit_code=1)
    failing.join()
    assert text == "Attempt 1 was failed before it could be stopped.\n"


def test_a_score_is_withheld_and_shown_again(house: House) -> None:
    house.score("owls", f1=0.2)
    assert run_json("submissions", "withhold", "1", "--reason", "copied") == {
        "submission": 1,
        "attempt": 1,
        "withheld": "copied",
        "reason": "copied",
    }
    shown = run_json("submissions", "show", "1")
    assert (shown["withheld"], shown["scores"]["f1"]["value"]) == ("copied", 0.2)
    text = run("submissions", "withhold", "1", "--undo", "--reason", "it was not")
    assert text == "The score of submission 1 (attempt 1) is shown again.\n"
    assert run_json("submissions", "show", "1")["withheld"] is None
    notes = [moment["note"] for moment in run_json("submissions", "show", "1")["timeline"]]
    assert notes[-2:] == ["the score is withheld: copied", "the score is shown again: it was not"]


@pytest.mark.parametrize("command", ["rerun", "cancel", "fail --code crashed", "withhold"])
@pytest.mark.parametrize("reason", ["", " \n\t", "x" * 501])
def test_a_reason_is_a_sentence_or_two(house: House, command: str, reason: str) -> None:
    house.score("owls", f1=0.2)
    error = refusal("submissions", *command.split(), "1", "--reason", reason)
    assert (error.code, error.exit_code) == ("bad_reason", 2)
    assert invoke("submissions", *command.split(), "1").exit_code == 2
    assert house.state(1) is State.SCORED
    assert len(run_json("submissions", "show", "1")["timeline"]) == 7


@pytest.mark.parametrize("command", ["rerun", "cancel", "fail --code crashed", "withhold"])
def test_an_unknown_submission_is_named(command: str) -> None:
    error = refusal("submissions", *command.split(), "7", "--reason", "x")
    assert (error.code, error.message) == ("unknown_submission", "there is no submission 7")


def test_the_quota_of_a_team_is_shown_entry_by_entry(house: House) -> None:
    house.score("owls", f1=0.2)
    run("quota", "grant", "owls", "--reason", "a prize")
    work = house.run(house.accept())
    for _ in range(MAX_RETRIES):
        ledger.fail(house.db, work, OperatorError("engine_down"))
        work = house.lease(work.attempt_id)
    ledger.fail(house.db, work, OperatorError("engine_down"))
    shown = run_json("quota", "show", "owls")
    assert (shown["team"], shown["month"], shown["used"], shown["allowed"]) == (
        "owls",
        "2026-11",
        1,
        2,
    )
    assert shown["sentence"].startswith("Used in 2026-11 (UTC): 1 of 2 scored runs")
    assert [
        (each["kind"], each["attempt"], each["submission"], each["reason"])
        for each in shown["entries"]
    ] == [
        ("reserve", 1, 1, ""),
        ("charge", 1, 1, ""),
        ("grant", None, None, "a prize"),
        ("reserve", 2, 2, ""),
        ("charge", 2, 2, ""),
        ("refund", 2, 2, "engine_down"),
    ]
    assert shown["entries"][0]["at"] == "2026-11-20T12:00:00Z"
    text = run("quota", "show", "owls")
    assert "1 of 2 scored runs" in text
    assert "a prize" in text
    assert "refund that waits" not in text
    assert refusal("quota", "show", "cats").code == "unknown_team"


def test_a_refund_that_waits_names_the_command_that_gives_it(house: House) -> None:
    for _ in range(3):
        work = house.run(house.accept())
        for _ in range(MAX_RETRIES):
            ledger.fail(house.db, work, OperatorError("engine_down"))
            work = house.lease(work.attempt_id)
        ledger.fail(house.db, work, OperatorError("engine_down"))
    assert house.kinds(3)[-1] is Kind.REFUND_WAITS
    text = run("quota", "show", "owls")
    assert "1 refund waits for an organizer" in text
    assert "rostrum admin quota grant TEAM" in text


def test_an_empty_book_says_so(house: House) -> None:
    house.team()
    assert "Nothing is written in this month." in run("quota", "show", "owls")
    assert run_json("quota", "show", "owls")["entries"] == []


def test_a_round_is_a_table_with_a_reason_for_everybody(house: House) -> None:
    house.score("used", f1=0.2)
    house.team("owls")
    document = run_json("round", "run", "--reason", "the first of the month")
    assert (document["competition"], document["month"]) == ("spc", "2026-11")
    assert (document["reason"], document["closed"]) == ("the first of the month", None)
    owls, used = document["teams"]
    assert (owls["team"], owls["code"], owls["submission"], owls["new"]) == (
        "owls",
        "submitted",
        2,
        True,
    )
    assert (used["code"], used["submission"]) == ("quota_used", None)
    assert "The next submission opens at 2026-12-01 00:00 UTC" in used["reason"]
    text = run("round", "run")
    assert text.startswith("Round of 2026-11 (UTC) in spc: 0 submitted now, 2 teams.\n")
    assert re.search(r"^owls +submitted +main as submission 2 *$", text, flags=re.M)
    assert re.search(r"^used +passed over +team used has no submission left", text, flags=re.M)
    assert house.state(2) is State.RECEIVED
    assert refusal("round", "run", "--reason", " ").code == "bad_reason"


def test_a_round_outside_of_the_phases_says_why_nobody_is_submitted(house: House) -> None:
    house.team("owls")
    house.clock.now = house.clock.now.replace(year=2031)
    text = run("round", "run")
    assert "Nobody is submitted: competition spc takes no submissions at 2031-11-20" in text
    assert re.search(r"^owls +waits +competition spc takes no", text, flags=re.M)
    document = run_json("round", "run")
    assert document["closed"] == document["teams"][0]["reason"]


def test_a_round_without_teams_says_how_to_add_one() -> None:
    assert "rostrum admin teams add" in run("round", "run")
