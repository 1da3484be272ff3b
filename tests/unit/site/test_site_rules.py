"""What the site says of the current competition's rules, for `rostrum check --site`."""

import siteworld
from flask.testing import FlaskClient

from leaderboard import competition


def test_everybody_may_read_the_rules_that_a_run_keeps(
    site: FlaskClient, world: siteworld.World
) -> None:
    answer = site.get("/api/v1/competition")
    assert answer.status_code == 200
    rules = competition.get(world.db, competition.current(world.db))
    found = answer.get_json()
    assert found["competition"]["id"] == rules.id
    assert found["limits"] == dict(rules.limits)
    assert set(found["tracks"]) == set(rules.tracks)
    assert found["gpu"] == {"allowed": rules.gpu}
    assert found["preflight"] == {"dialogues": rules.preflight_dialogues}


def test_no_date_no_key_no_comment_of_the_file_is_among_them(site: FlaskClient) -> None:
    found = site.get("/api/v1/competition").get_json()
    assert set(found) == {
        "schema", "competition", "tracks", "limits", "preflight", "build", "gpu",
    }  # fmt: skip
    assert set(found["competition"]) == {"id", "title", "sandbox"}
