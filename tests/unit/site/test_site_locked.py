"""A locked competition on the site: what the API refuses, what the pages leave out."""

import siteworld
from flask.testing import FlaskClient

from leaderboard import ledger
from leaderboard.lock import lock
from leaderboard.states import Queue

REASON = "the repository held the test set"


def test_a_submission_to_a_locked_competition_is_a_conflict(
    world: siteworld.World, site: FlaskClient, sent: list[tuple[Queue, int]]
) -> None:
    world.scored("ranker", {"f1": (0.2, 0.19, 0.21)})
    world.team("late")
    lock(world.db, "spc-2026", reason="the phase is over", early=True)
    answer = site.post(
        "/api/v1/submissions",
        json={"ref": "main"},
        headers={"Authorization": f"Bearer {world.tokens['late']}"},
    )
    assert answer.status_code == 409
    assert answer.get_json()["error"]["code"] == "locked"
    assert "its scores are final" in answer.get_json()["error"]["message"]
    assert sent == []


def test_no_page_shows_a_withheld_score_until_it_is_shown_again(
    world: siteworld.World, site: FlaskClient
) -> None:
    world.scored("ranker", {"f1": (0.2347, 0.22, 0.25)})
    world.scored("seq2seq", {"f1": (0.1111, 0.1, 0.12)})
    pages = (
        "/",
        "/c/spc-2026/",
        "/submissions/1",
        "/api/v1/submissions/1",
        "/api/v1/competitions/spc-2026/board",
    )

    def shown() -> list[str]:
        """The pages on which somebody may read it."""
        found = []
        for page in pages:
            answer = site.get(page, follow_redirects=True)
            assert answer.status_code == 200, page
            if "23.5" in answer.text or "0.235" in answer.text or "0.2347" in answer.text:
                found.append(page)
        return found

    everywhere = shown()
    assert everywhere == list(pages)
    ledger.withhold(world.db, 1, reason=REASON)
    assert shown() == []
    assert REASON in site.get("/submissions/1").text
    ledger.withhold(world.db, 1, reason="it did not", undo=True)
    assert shown() == everywhere
