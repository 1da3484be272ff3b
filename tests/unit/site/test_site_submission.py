"""A submission's page and JSON in every state and for every verdict."""

import html
from typing import Any

import pytest
import siteworld
from flask.testing import FlaskClient

from harness.errors import VERDICTS, Fault, OperatorError, SubmissionError
from leaderboard import ledger
from leaderboard.db.models import Attempt
from leaderboard.states import MAX_RETRIES, STAGES, State


def both(site: FlaskClient, number: int) -> tuple[str, dict[str, Any]]:  # Any: a JSON document
    """The page's text, unescaped, and the document of one submission."""
    page = site.get(f"/submissions/{number}")
    answer = site.get(f"/api/v1/submissions/{number}")
    assert (page.status_code, answer.status_code) == (200, 200)
    assert f'href="/api/v1/submissions/{number}"' in page.get_data(as_text=True)
    return html.unescape(page.get_data(as_text=True)), answer.get_json()


@pytest.mark.parametrize(
    "state", [State.FETCHING, State.BUILDING, State.PREFLIGHT, State.QUEUED, State.RUNNING]
)
def test_each_state_of_a_moving_attempt(
    world: siteworld.World, site: FlaskClient, state: State
) -> None:
    work = world.to(world.submit("team"), state)
    text, document = both(site, work.attempt_id)
    assert document["state"] == state.value
    assert document["final"] is False
    assert STAGES[state].sentence in text
    assert f'<li class="here" aria-current="step">{state.value}' in text
    assert 'data-live="5"' in text
    assert [event["state"] for event in document["timeline"]][-1] == state.value


def test_a_received_one_has_no_commit_and_a_full_timeline(
    world: siteworld.World, site: FlaskClient
) -> None:
    world.submit("team", ref="feature/one")
    text, document = both(site, 1)
    assert document["commit"] is None
    assert "feature/one" in text
    assert "2026-11-20 20:40:00 UTC" in text
    assert document["accepted_at"] == "2026-11-20T20:40:00Z"
    assert document["quota"]["used"] == 1
    assert document["quota"]["text"] in text


def test_a_scored_one_shows_what_its_json_says(reader: FlaskClient) -> None:
    text, document = both(reader, 3)
    scores = document["scores"]
    assert list(scores) == ["hits", "f1", "ppl"]
    for cell in scores.values():
        for part in (cell["text"], cell["interval"], cell["signature"], cell["sandbox"]):
            assert part in text
    assert "16,155 scored words, a dictionary of 4,487" in text
    assert "2 min 11 s" in text
    assert "data-live" not in text


@pytest.mark.parametrize("code", [c for c, v in VERDICTS.items() if v.fault is Fault.SUBMISSION])
def test_every_verdict_on_a_submission_says_what_to_do(
    world: siteworld.World, site: FlaskClient, code: str
) -> None:
    verdict = VERDICTS[code]
    detail = verdict.details[0] if verdict.details else None
    world.failed("team", SubmissionError(code, detail=detail), at=State.PREFLIGHT)
    text, document = both(site, 1)
    assert document["verdict"] == {
        "code": code,
        "detail": detail,
        "title": verdict.title,
        "hint": verdict.hint,
        "fault": "submission",
        "help": f"/help#{code}",
    }
    assert verdict.title in text
    assert verdict.hint.replace("`", "") in text.replace("<code>", "").replace("</code>", "")
    assert f'<a href="/help#{code}">' in text
    assert "The submission's." in text
    assert "preflight: The agent answers a few public dialogues" in text
    assert f'id="{code}"' in site.get("/help").get_data(as_text=True)


@pytest.mark.parametrize("code", [c for c, v in VERDICTS.items() if v.fault is Fault.PLATFORM])
def test_every_verdict_on_the_platform_takes_the_blame(
    world: siteworld.World, site: FlaskClient, code: str
) -> None:
    attempt = world.submit("team")
    for _ in range(MAX_RETRIES + 1):
        ledger.fail(world.db, world.to(attempt, State.FETCHING), OperatorError(code))
    text, document = both(site, attempt)
    assert document["verdict"]["fault"] == "platform"
    assert "The platform's, not yours" in text
    assert document["quota"]["used"] == 0
    assert document["retries"] == MAX_RETRIES
    assert VERDICTS[code].title in text


def test_a_cancelled_one_shows_the_reason(world: siteworld.World, site: FlaskClient) -> None:
    attempt = world.submit("team")
    ledger.cancel(world.db, attempt, reason="asked by the team")
    text, document = both(site, attempt)
    assert document["state"] == "cancelled"
    assert "Asked by the team." in text


def test_a_withheld_score_is_nowhere(world: siteworld.World, site: FlaskClient) -> None:
    attempt = world.scored("team", {"hits": (0.3421, 0.3172, 0.3662)})
    with world.db.write() as session:
        session.get_one(Attempt, attempt).withheld = "under review"
    text, document = both(site, attempt)
    assert document["scores"] == {}
    assert document["withheld"] == "under review"
    assert "under review" in text
    assert site.get("/api/v1/board").get_json()["rows"] == []
    for page in (text, site.get("/").get_data(as_text=True)):
        assert "34.2" not in page


def test_no_machine_address_or_log_is_public(reader: FlaskClient, full: siteworld.World) -> None:
    for number in range(1, 12):
        for address in (f"/submissions/{number}", f"/api/v1/submissions/{number}"):
            body = reader.get(address).get_data(as_text=True)
            assert "CANARY-LOG" not in body
            assert "git.example" not in body
            assert "w1" not in body
            assert not any(token in body for token in full.tokens.values())


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/submissions/999", "unknown_submission"),
        ("/submissions/99999999999999999999", "not_found"),
        ("/submissions/-1", "not_found"),
        ("/c/<script>/", "unknown_competition"),
        ("/nope", "not_found"),
    ],
)
def test_what_is_not_there_is_404_as_page_and_as_json(
    reader: FlaskClient, address: str, code: str
) -> None:
    page = reader.get(address)
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert "<script>" not in page.get_data(as_text=True)
    api = address.replace("/c/<script>/", "/competitions/<script>/board")
    answer = reader.get(f"/api/v1{api}")
    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] == code
    assert set(answer.get_json()["error"]) == {"code", "message", "hint"}


def test_an_unforeseen_error_tells_nothing_of_itself(
    world: siteworld.World, site: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret inner words")

    monkeypatch.setattr("leaderboard.web.pages.board", explode)
    monkeypatch.setattr("leaderboard.api.routes.board", explode)
    page, answer = site.get("/"), site.get("/api/v1/board")
    assert (page.status_code, answer.status_code) == (500, 500)
    assert b"secret inner" not in page.data + answer.data
    assert answer.get_json()["error"]["code"] == "internal"
    assert page.headers["Content-Security-Policy"]
