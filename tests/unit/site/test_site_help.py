"""The page of rules: every verdict, state, limit and address of the API stands on it."""

import re

import pytest
from flask.testing import FlaskClient

from harness.errors import VERDICTS
from leaderboard.competition import LIMITS
from leaderboard.db.migrate import create
from leaderboard.rank import RULES
from leaderboard.states import STAGES
from leaderboard.web import create_app
from leaderboard.web.help import LIMIT_TEXTS, RANK_RULES, REQUESTS


def test_it_holds_every_verdict_and_state(reader: FlaskClient) -> None:
    page = reader.get("/help").get_data(as_text=True)
    for code in VERDICTS:
        assert f'<dt id="{code}">' in page
    for state, stage in STAGES.items():
        assert f"<code>{state.value}</code>" in page
        assert stage.sentence in page


def test_its_words_cover_what_the_code_knows() -> None:
    assert LIMIT_TEXTS.keys() == LIMITS.keys()
    assert RANK_RULES.keys() == RULES.keys()


def test_the_api_s_addresses_are_the_real_ones(reader: FlaskClient) -> None:
    real = {
        (method, re.sub(r"<(?:int\(max=\d+\):submission_id|competition_id)>", "<id>", rule.rule))
        for rule in reader.application.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {tuple(request.split(" ")[:2]) for request, _ in REQUESTS}
    assert real == told


def test_a_site_without_a_competition_still_helps(tmp_path_factory: pytest.TempPathFactory) -> None:
    db = create(f"sqlite:///{tmp_path_factory.mktemp('none') / 'rostrum.db'}")
    client = create_app(db).test_client()
    assert client.get("/help").status_code == 200
    assert "No competition yet" in client.get("/").get_data(as_text=True)
    answer = client.get("/api/v1/board")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "no_competition")
    db.close()
