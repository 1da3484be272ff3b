"""Each bad submission ends with its code and what to do, everywhere, while others go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage, good

from harness.errors import VERDICTS
from leaderboard.states import State
from leaderboard.web.app import create_app

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
MISSING = "0" * 40

BAD = {
    "no-track-file": ("no_track_file", None),
    "missing-commit": ("commit_not_found", None),
    "not-text": ("invalid_prediction", "not_text"),
    "nan-scores": ("invalid_prediction", "not_finite"),
    "negative-probabilities": ("invalid_prediction", "negative"),
    "crash-in-verb": ("crashed", "verb"),
    "early-exit": ("early_exit", None),
    "sleeps-in-verb": ("batch_timeout", None),
}
FINE = ("good", "shadows-harness")


class Round:
    """One installation with all these submissions, worked through once."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.attempts: dict[str, int] = {}

    def run(self) -> None:
        for name in (*BAD, *FINE):
            if name == "missing-commit":
                team, ref = self.stage.team(name, good("f1")), MISSING
            else:
                team, ref = self.stage.team_from(name, GALLERY / name), "main"
            self.attempts[name] = self.stage.submit(team, ref)
        self.stage.start("beat")
        self.stage.start("worker", "--concurrency", "2")
        for attempt in self.attempts.values():
            self.stage.wait(attempt, State.SCORED, State.FAILED, seconds=180)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ],
)
def worked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Round]:
    base = tmp_path_factory.mktemp("round") / "stage"
    made = Round(Stage.build(base, request.param, batch=1.5))
    try:
        made.run()
        yield made
    finally:
        made.stage.close()


@pytest.mark.parametrize("name", BAD)
def test_the_code_and_the_advice_are_everywhere(worked: Round, name: str) -> None:
    code, detail = BAD[name]
    attempt = worked.attempts[name]
    shown = worked.stage.shown(attempt)["verdict"]
    assert (shown["code"], shown["detail"]) == (code, detail)
    assert shown["hint"] == VERDICTS[code].hint
    client = create_app(worked.stage.db).test_client()
    document = client.get(f"/api/v1/submissions/{attempt}").get_json()["verdict"]
    assert (document["code"], document["detail"]) == (code, detail)
    assert document["hint"] == VERDICTS[code].hint
    page = client.get(f"/submissions/{attempt}").get_data(as_text=True)
    assert code in page
    assert VERDICTS[code].title in page
    if detail is not None:
        assert detail in page


@pytest.mark.parametrize("name", BAD)
def test_a_failed_preflight_costs_no_scored_run(worked: Round, name: str) -> None:
    assert worked.stage.quota(worked.attempts[name]) == ["reserve", "release"]


@pytest.mark.parametrize("name", FINE)
def test_the_others_are_scored(worked: Round, name: str) -> None:
    shown = worked.stage.shown(worked.attempts[name])
    assert shown["state"] == "scored"
    assert shown["verdict"] is None


def test_the_preflight_log_says_how_it_ended(worked: Round) -> None:
    from leaderboard.board import preflight_log

    log = preflight_log(worked.stage.db, worked.attempts["crash-in-verb"], "f1")
    assert log is not None
    assert log.startswith("[rostrum] eval_f1.py, crashed (verb)")
    assert "Traceback" in log


def test_no_trace_of_an_error_leaves_the_worker(worked: Round) -> None:
    client = create_app(worked.stage.db).test_client()
    for attempt in worked.attempts.values():
        for address in (f"/submissions/{attempt}", f"/api/v1/submissions/{attempt}"):
            assert "Traceback" not in client.get(address).get_data(as_text=True)
