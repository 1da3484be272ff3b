"""What a team sees while it waits: its place, the expected start, the build's log."""

import html
from collections.abc import Callable

import httpx
import pytest
import siteworld
from click.testing import CliRunner
from flask.testing import FlaskClient

from harness.errors import OperatorError, SubmissionError
from leaderboard import fleet, ledger
from leaderboard.client.status import status
from leaderboard.states import Queue, State, channel

SITE = "http://rostrum.example"
F1 = {"f1": (0.15, 0.14, 0.16)}

Status = Callable[..., str]


@pytest.fixture
def busy(world: siteworld.World) -> siteworld.World:
    """Three teams are scored, two wait, one worker lives."""
    for name in ("a", "b", "c"):
        world.scored(name, F1)  # type: ignore[arg-type]  # a table of one track
    for name in ("owls", "crows"):
        world.submit(name)
    names = [channel(queue) for queue in Queue]
    fleet.announce(world.db, "w1", queues=names, slots=1, gpu=None, version="0")
    return world


@pytest.fixture
def shown(site: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Status:
    """What `rostrum status` prints, asking the application without a socket."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = site.get(request.url.path, headers=dict(request.headers))
        return httpx.Response(answer.status_code, content=answer.data)

    make = httpx.Client

    def client(**options: object) -> httpx.Client:
        return make(**{**options, "transport": httpx.MockTransport(handle)})  # type: ignore[arg-type]

    monkeypatch.setattr(httpx, "Client", client)

    def run(*words: str, token: str = "") -> str:
        env = {"ROSTRUM_TOKEN": token}
        result = CliRunner().invoke(status, [*words, "--site", SITE], env=env)
        assert result.exit_code in (0, 1), result.output
        return result.output

    return run


def test_place_and_expected_start_are_the_same_on_page_in_json_and_command(
    busy: siteworld.World, site: FlaskClient, shown: Status
) -> None:
    document = site.get("/api/v1/submissions/5").get_json()
    assert document["ahead"] == 1
    expected = document["expected"]
    assert (expected["runs"], expected["slots"], expected["usual_seconds"]) == (3, 1, 23.7)
    assert expected["text"].startswith("Expected to start within a minute")
    page = html.unescape(site.get("/submissions/5").get_data(as_text=True))
    printed = shown("5")
    for text in (expected["text"], "1 attempt waits before it."):
        assert text in page
        assert text in printed
    assert "It is next." in shown("4")


def test_once_it_is_taken_nothing_is_expected_any_more(
    busy: siteworld.World, site: FlaskClient, shown: Status
) -> None:
    busy.to(4, State.FETCHING)
    document = site.get("/api/v1/submissions/4").get_json()
    assert (document["ahead"], document["expected"]) == (None, None)
    assert "Expected" not in shown("4")
    assert "It is next." in shown("5")


def test_without_a_worker_the_silence_is_said_and_no_time(
    busy: siteworld.World, site: FlaskClient, shown: Status
) -> None:
    busy.clock.pass_(minutes=5)
    document = site.get("/api/v1/submissions/5").get_json()
    assert document["expected"] is None
    assert document["waiting"].startswith("2 submissions wait")
    assert document["waiting"] in shown("5")


def test_the_next_try_is_in_the_sentence(busy: siteworld.World, site: FlaskClient) -> None:
    ledger.fail(busy.db, busy.to(4, State.FETCHING), OperatorError("engine_down"))
    document = site.get("/api/v1/submissions/4").get_json()
    assert "The next try is not before 2026-11-20" in document["sentence"]
    assert document["verdict"] is None


def test_one_that_is_being_failed_by_hand_has_no_verdict_yet(
    busy: siteworld.World, site: FlaskClient
) -> None:
    work = busy.to(4, State.PREFLIGHT)
    ledger.fail_by_hand(busy.db, 4, code="crashed", reason="it hung")
    document = site.get("/api/v1/submissions/4").get_json()
    assert (document["state"], document["verdict"]) == ("preflight", None)
    assert document["sentence"].endswith("It was asked to stop.")
    ledger.stopped(busy.db, work, gone=True)
    assert site.get("/api/v1/submissions/4").get_json()["verdict"]["code"] == "crashed"


def test_the_log_of_a_build_comes_first_and_is_its_teams_alone(
    busy: siteworld.World, site: FlaskClient, shown: Status
) -> None:
    work = busy.to(4, State.BUILDING)
    ledger.keep_log(busy.db, work, name="build", text="no such package: \x1b[2Jowl")
    ledger.fail(busy.db, work, SubmissionError("build_failed", detail="not_found"))
    assert "--log</code>" in site.get("/submissions/4").get_data(as_text=True)
    printed = shown("4", "--log", token=busy.tokens["owls"])
    assert "--- log of build" in printed
    assert "no such package: ⟨U+001B⟩[2Jowl" in printed
    answer = site.get(
        "/api/v1/submissions/4/log", headers={"Authorization": f"Bearer {busy.tokens['crows']}"}
    )
    assert answer.status_code == 403
