"""Submitting over the API: who may, what is accepted, what every refusal looks like."""

import json

import pytest
import siteworld
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from harness.errors import SubmissionError
from leaderboard.states import Queue, State
from leaderboard.web.app import MAX_BODY


def post(site: FlaskClient, token: str | None, body: object = None) -> TestResponse:
    """POST a submission, of branch main unless a body is given."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return site.post("/api/v1/submissions", json=body or {"ref": "main"}, headers=headers)


def test_accepted_is_202_with_the_body_of_its_get(
    world: siteworld.World, site: FlaskClient, sent: list[tuple[Queue, int]]
) -> None:
    world.team("ranker")
    answer = post(site, world.tokens["ranker"])
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/api/v1/submissions/1"
    assert answer.get_json() == site.get("/api/v1/submissions/1").get_json()
    assert answer.get_json()["state"] == "received"
    assert sent == [(Queue.PREFLIGHT, 1)]


def test_a_lost_hint_does_not_lose_the_submission(
    world: siteworld.World, site: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.hints.send", lambda queue, attempt_id: False)
    world.team("ranker")
    assert post(site, world.tokens["ranker"]).status_code == 202


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "no_token"),
        ("", "no_token"),
        ("Bearer", "no_token"),
        ("Basic cmFua2VyOng=", "no_token"),
        ("Bearer rostrum_wrong", "bad_token"),
        ("Bearer " + "x" * 4000, "bad_token"),
        ("Bearer \udcff", "bad_token"),
    ],
)
def test_without_a_team_s_token_nothing_is_accepted(
    world: siteworld.World,
    site: FlaskClient,
    sent: list[tuple[Queue, int]],
    header: str | None,
    code: str,
) -> None:
    world.team("ranker")
    environ = {"HTTP_AUTHORIZATION": header} if header is not None else {}
    answer = site.post("/api/v1/submissions", json={"ref": "main"}, environ_overrides=environ)
    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == code
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert sent == []
    assert site.get("/api/v1/submissions/1").status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"ref": "--upload-pack=x"}, "bad_ref", 400),
        ({"ref": "a..b"}, "bad_ref", 400),
        ({"ref": ""}, "bad_ref", 400),
        ({"ref": "\ud800"}, "bad_ref", 400),
        ({"ref": "main\x00"}, "bad_ref", 400),
        ({"ref": 7}, "bad_body", 400),
        ({"ref": "main", "team": "other"}, "bad_body", 400),
        ([["main"]], "bad_body", 400),
        ({"ref": "x" * MAX_BODY}, "too_large", 413),
    ],
)
def test_a_bad_body_is_refused_in_one_shape(
    world: siteworld.World, site: FlaskClient, body: object, code: str, status: int
) -> None:
    world.team("ranker")
    answer = post(site, world.tokens["ranker"], body)
    assert answer.status_code == status
    error = answer.get_json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code


@pytest.mark.parametrize("raw", ["{", "[" * 4000, "\xff", '{"ref": NaN}', "null"])
def test_raw_bytes_that_are_no_such_json(
    world: siteworld.World, site: FlaskClient, raw: str
) -> None:
    world.team("ranker")
    answer = site.post(
        "/api/v1/submissions",
        data=raw.encode("latin-1"),
        content_type="application/json",
        headers={"Authorization": f"Bearer {world.tokens['ranker']}"},
    )
    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "bad_body"


def test_a_form_is_not_json(world: siteworld.World, site: FlaskClient) -> None:
    world.team("ranker")
    answer = site.post(
        "/api/v1/submissions",
        data={"ref": "main"},
        headers={"Authorization": f"Bearer {world.tokens['ranker']}"},
    )
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (415, "not_json")


def test_a_used_quota_says_when_the_next_place_opens(
    world: siteworld.World, site: FlaskClient
) -> None:
    world.scored("ranker", {"hits": (0.3, 0.2, 0.4)})
    answer = post(site, world.tokens["ranker"])
    assert answer.status_code == 429
    error = answer.get_json()["error"]
    assert error["code"] == "quota_used"
    assert "1 of 1 scored run" in error["message"]
    assert "2026-12-01 00:00 UTC" in error["message"]


def test_one_at_a_time_and_a_double_click_is_harmless(
    world: siteworld.World, site: FlaskClient
) -> None:
    world.team("ranker")
    token = world.tokens["ranker"]
    assert post(site, token).get_json()["id"] == post(site, token).get_json()["id"] == 1
    answer = post(site, token, {"ref": "other"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "attempt_under_way")


def test_a_closed_phase_is_a_conflict(world: siteworld.World, site: FlaskClient) -> None:
    world.team("ranker")
    world.clock.pass_(days=30)
    answer = post(site, world.tokens["ranker"])
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "phase_closed")


def test_the_log_is_for_its_own_team_alone(world: siteworld.World, site: FlaskClient) -> None:
    world.failed("ranker", SubmissionError("crashed", detail="verb"), at=State.PREFLIGHT)
    world.team("rival")

    def log(token: str | None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return site.get("/api/v1/submissions/1/log", headers=headers)

    assert log(None).status_code == 401
    assert log("rostrum_wrong").status_code == 401
    refused = log(world.tokens["rival"])
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "not_yours")
    own = log(world.tokens["ranker"])
    assert own.status_code == 200
    assert own.headers["Cache-Control"] == "no-store"
    assert b"\x1b" not in own.data
    assert own.get_json()["logs"] == [{"track": "hits", "text": siteworld.LOG}]


def test_no_log_is_said(world: siteworld.World, site: FlaskClient) -> None:
    world.submit("ranker")
    answer = site.get(
        "/api/v1/submissions/1/log",
        headers={"Authorization": f"Bearer {world.tokens['ranker']}"},
    )
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "no_log")


def test_other_methods_are_405_in_the_same_shape(site: FlaskClient) -> None:
    answer = site.delete("/api/v1/board")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert json.loads(answer.data)["error"]["code"] == "method_not_allowed"
