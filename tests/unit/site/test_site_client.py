"""`rostrum submit` and `rostrum status` against the real application, without a socket."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import httpx
import pytest
import siteworld
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from harness.errors import RostrumError, SubmissionError, UsageError
from leaderboard import ledger
from leaderboard.client import site as site_module
from leaderboard.client.site import Site, SiteError, UnreachableError
from leaderboard.client.status import status
from leaderboard.client.submit import head_commit, submit
from leaderboard.states import State

SITE = "http://rostrum.example"

Run = Callable[..., Result]


class Wsgi(httpx.BaseTransport):
    """Sends a request to a WSGI application, instead of a network."""

    def __init__(self, app: object) -> None:
        self.inner = httpx.WSGITransport(app=app)  # type: ignore[arg-type]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The application's answer, read whole."""
        answer = self.inner.handle_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())


@pytest.fixture
def run(site: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command whose HTTP goes to the application."""
    monkeypatch.delenv("ROSTRUM_TOKEN", raising=False)
    through(monkeypatch, Wsgi(site.application))

    def invoke(command: click.Command, *words: str, token: str = "") -> Result:
        env = {"ROSTRUM_TOKEN": token}
        return CliRunner().invoke(command, [*words, "--site", SITE], env=env)

    return invoke


def through(monkeypatch: pytest.MonkeyPatch, transport: httpx.BaseTransport) -> None:
    """Make every `Site` use this transport."""
    make = httpx.Client

    def client(**options: object) -> httpx.Client:
        return make(**{**options, "transport": transport})  # type: ignore[arg-type]

    monkeypatch.setattr(httpx, "Client", client)


def test_submit_then_status_then_watch_to_the_end(
    world: siteworld.World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.team("ranker")
    submitted = run(submit, "--ref", "main", token=world.tokens["ranker"])
    assert submitted.exit_code == 0, submitted.output
    assert "Submission 1 · ranker · main · received" in submitted.output
    assert f"rostrum status 1 --site {SITE} --watch" in submitted.output

    def finish(_seconds: float) -> None:
        work = world.to(1, State.RUNNING, tracks=("hits",))
        report = siteworld.report("hits", 0.3421, 0.3172, 0.3662)
        ledger.score(world.db, work, {"hits": report})

    monkeypatch.setattr("time.sleep", finish)
    watched = run(status, "1", "--watch")
    assert watched.exit_code == 0, watched.output
    lines = watched.output.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("2026-11-20T")] == [
        "received",
        "fetching",
        "building",
        "preflight",
        "queued",
        "running",
        "scored",
    ]
    assert "hits@1  34.2  95 % interval 31.7 to 36.6  n = 1450  track:hits|k:1|" in watched.output


def test_a_failed_submission_exits_1_and_says_what_to_do(world: siteworld.World, run: Run) -> None:
    error = SubmissionError("invalid_prediction", detail="not_finite")
    world.failed("ranker", error, at=State.PREFLIGHT)
    shown = run(status, "1")
    assert shown.exit_code == 1
    assert "invalid_prediction (not_finite)\n  A prediction is not valid." in shown.output
    assert f"What to do: {error.hint}" in shown.output
    assert "0 of 1 scored run" in shown.output


def test_the_log_needs_the_token_and_shows_controls(world: siteworld.World, run: Run) -> None:
    world.failed("ranker", SubmissionError("crashed", detail="verb"), at=State.PREFLIGHT)
    refused = run(status, "1", "--log")
    assert isinstance(refused.exception, UsageError)
    assert refused.exception.code == "no_token"
    shown = run(status, "1", "--log", token=world.tokens["ranker"])
    assert "⟨U+001B⟩[2J CANARY-LOG" in shown.output
    assert "\x1b" not in shown.output


def test_json_is_the_site_s_own_document(
    world: siteworld.World, site: FlaskClient, run: Run
) -> None:
    world.failed("ranker", SubmissionError("crashed", detail="verb"), at=State.PREFLIGHT)
    shown = run(status, "1", "--json")
    assert json.loads(shown.output) == site.get("/api/v1/submissions/1").get_json()
    logged = json.loads(run(status, "1", "--json", "--log", token=world.tokens["ranker"]).output)
    assert logged["logs"][0]["track"] == "hits"


def test_submit_refuses_without_a_token_or_with_a_damaged_one(run: Run, tmp_path: Path) -> None:
    assert "ROSTRUM_TOKEN" in str(run(submit, "--ref", "main").exception)
    damaged = tmp_path / "token"
    damaged.write_text("two\nlines", encoding="utf-8")
    assert "damaged" in str(run(submit, "--ref", "main", "--token-file", str(damaged)).exception)
    assert "cannot be read" in str(
        run(submit, "--ref", "main", "--token-file", str(tmp_path / "none")).exception
    )


@pytest.mark.parametrize(
    ("prepare", "code", "exit_code"), [("wrong", "bad_token", 2), ("used", "quota_used", 1)]
)
def test_a_refusal_of_the_site_keeps_its_sentence(
    world: siteworld.World, run: Run, prepare: str, code: str, exit_code: int
) -> None:
    world.scored("ranker", {"hits": (0.3, 0.2, 0.4)})
    token = "rostrum_x" if prepare == "wrong" else world.tokens["ranker"]
    error = run(submit, "--ref", "main", token=token).exception
    assert isinstance(error, RostrumError)
    assert (error.code, error.exit_code) == (code, exit_code)


def test_the_default_ref_is_the_head_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--ref"):
        head_commit(tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    named = subprocess.run([*git, "log", "--format=%H"], check=True, capture_output=True, text=True)
    assert head_commit(tmp_path) == named.stdout.strip()


def answering(body: bytes, status_code: int = 200) -> Site:
    """A site that answers everything so."""
    answer = httpx.MockTransport(lambda _: httpx.Response(status_code, content=body))
    return Site(SITE, transport=answer)


@pytest.mark.parametrize(
    ("body", "status_code"),
    [
        (b"<html>", 200),
        (b"[1]", 200),
        (b"[" * 200_000, 200),
        (b"", 301),
        (b'{"error": "no"}', 500),
    ],
)
def test_an_answer_that_is_not_a_rostrum_site_s(body: bytes, status_code: int) -> None:
    with answering(body, status_code) as door, pytest.raises(SiteError, match="Rostrum site"):
        door.submission(1)


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with (
        answering(b" " * (site_module.MAX_BODY + 1)) as door,
        pytest.raises(SiteError, match="MiB"),
    ):
        door.submission(1)


def test_a_dripping_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "TOTAL_SECONDS", -1.0)
    with answering(b"{}") as door, pytest.raises(SiteError, match="took more than"):
        door.submission(1)


def test_no_answer_is_said_with_the_address() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    door = Site(SITE, transport=httpx.MockTransport(refuse))
    with door, pytest.raises(UnreachableError, match=r"rostrum\.example did not answer"):
        door.submission(1)


@pytest.mark.parametrize("url", ["rostrum.example", "ftp://x.example", "http://", "http://a:b@c"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="--site"):
        Site(url)


def test_hostile_names_reach_no_terminal(world: siteworld.World, run: Run) -> None:
    attempt = world.submit("red")
    world.to(attempt, State.RUNNING, entry=siteworld.HOSTILE_ENTRY)
    shown = run(status, str(attempt))
    assert "⟨U+202E⟩" in shown.output
    assert "\x1b" not in shown.output
    assert "\u202e" not in shown.output


def test_watch_bears_a_short_silence_and_ends_at_its_timeout(
    world: siteworld.World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.submit("ranker")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    error = run(status, "1", "--watch", "--timeout", "0.05").exception
    assert isinstance(error, SiteError)
    assert error.code == "watch_timeout"
    assert "rostrum status 1" in error.hint
