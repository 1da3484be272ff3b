"""The page of the finalists: progress while people talk, figures when they are done."""

from collections.abc import Iterator
from pathlib import Path

import humanworld
import pytest
import siteworld
from flask.testing import FlaskClient
from humanworld import HumanWorld
from raterside import words

from harness.errors import SubmissionError
from leaderboard import conversations, locks
from leaderboard.db.models import Attempt
from leaderboard.db.people import Finalist
from leaderboard.human import opening
from leaderboard.web import create_app

PLACE = "/c/spc-2026/people"
API = "/api/v1/competitions/spc-2026/people"


@pytest.fixture
def people(tmp_path: Path) -> Iterator[HumanWorld]:
    """Two raters have judged: finalist 1 got 4 and 2, the persona seen once of two."""
    made = humanworld.opened(tmp_path, finalists=1, raters=3)
    made.rated(made.claim(0), enjoyment=4, right=True)
    made.rated(made.claim(1), enjoyment=2, right=False)
    yield made
    made.db.close()


@pytest.fixture
def reader(people: HumanWorld) -> FlaskClient:
    """A reader of the site, who needs no invitation."""
    return create_app(people.db, key=people.key).test_client()


def test_running_figures_are_shown_to_nobody(people: HumanWorld, reader: FlaskClient) -> None:
    page = reader.get(PLACE)
    assert page.status_code == 200
    assert "2 of 10 ratings" in words(page)
    assert "scores are shown when they are done" in words(page)
    assert "3.00" not in page.text
    assert "finalist-1" not in page.text
    document = reader.get(API).get_json()
    assert document["ratings"] == {"done": 2, "wanted": 10}
    assert set(document["finalists"][0]) == {
        "place", "entry", "team", "submission", "passed_over", "withheld",
    }  # fmt: skip


def test_the_figures_after_the_end(people: HumanWorld, reader: FlaskClient) -> None:
    served = people.claim(2)
    chat = humanworld.partner(people, served, None)
    conversations.fail(people.db, chat, SubmissionError("crashed"))
    opening.close_evaluation(people.db, people.competition_id, reason="enough")
    shown = words(reader.get(PLACE))
    assert "The human evaluation is over." in shown
    assert "3.00" in shown
    assert "n = 2, 2 raters" in shown
    assert "2.00 to 4.00" in shown
    assert "50 95 % interval 9 to 91" in shown
    assert "1 of 2" in shown
    assert "67 95 % interval 21 to 94" in shown
    assert "2 of 3" in shown
    assert "How much did you enjoy talking to this partner? 1 Not at all" in shown
    fixed = locks.locked(people.db, people.competition_id)
    assert fixed is not None
    assert fixed.protocol_sha256 in shown
    (line,) = reader.get(API).get_json()["finalists"]
    assert line["enjoyment"] == {"value": 3, "low": 2, "high": 4, "n": 2, "clusters": 2}
    assert (line["detected"]["k"], line["detected"]["n"]) == (1, 2)
    assert (line["served"]["k"], line["served"]["n"]) == (2, 3)


def test_no_rater_is_told_apart(people: HumanWorld, reader: FlaskClient) -> None:
    opening.close_evaluation(people.db, people.competition_id, reason="enough")
    for place in (PLACE, API):
        shown = reader.get(place).text
        assert "rater-1" not in shown
        assert "number 0 is my favourite" not in shown
        assert people.tokens[0] not in shown


def test_who_does_not_count_stands_with_the_reason(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=3)
    with world.db.write() as session:
        rows = session.query(Finalist).order_by(Finalist.place).all()
        rows[1].passed_over = "its agent <b>cannot</b> chat"
        session.get_one(Attempt, rows[2].attempt_id).withheld = "it was the test set"
    page = create_app(world.db).test_client().get(PLACE)
    assert "2 finalist-2 its agent <b>cannot</b> chat" in words(page)
    assert "its agent &lt;b&gt;cannot&lt;/b&gt; chat" in page.text
    assert "3 finalist-3 withheld after the lock: it was the test set" in words(page)
    assert "0 of 10 ratings" in words(page)
    world.db.close()


def test_the_board_leads_there_once_it_is_locked(people: HumanWorld, reader: FlaskClient) -> None:
    board = reader.get("/")
    assert f'href="{PLACE}"' in board.text
    assert "so it is in the final" in words(board)


def test_before_the_lock_there_is_nothing(tmp_path: Path) -> None:
    world = siteworld.full(tmp_path)
    client = create_app(world.db).test_client()
    assert PLACE not in client.get("/").text
    assert "so it would be in the final" in words(client.get("/"))
    assert client.get(PLACE).status_code == 404
    answer = client.get(API)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "not_locked")
    assert client.get("/c/nowhere/people").status_code == 404
    assert client.get(API.replace("spc-2026", "nowhere")).get_json()["error"]["code"] == (
        "unknown_competition"
    )
    world.db.close()
