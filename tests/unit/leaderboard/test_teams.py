"""Teams and their tokens."""

import hashlib

import pytest
from house import TOML
from sqlalchemy import select

from harness.errors import UsageError
from leaderboard import competition, teams
from leaderboard.db.engine import Database
from leaderboard.db.models import Team as Row
from leaderboard.teams import Added


def add(db: Database, name: str = "owls", **changes: str) -> Added:
    values = {"repo_url": "https://git.example/owls", "branch": "main"} | changes
    return teams.add(db, values.pop("competition_id", "spc"), name=name, baseline=False, **values)


def test_a_token_finds_its_team_and_is_not_stored(db: Database) -> None:
    owls, cats = add(db), add(db, "cats")
    assert owls.token != cats.token
    assert teams.by_token(db, owls.token) == owls.team
    assert teams.by_token(db, owls.token[:-1]) is None
    assert teams.by_token(db, "") is None
    assert teams.by_token(db, "\udcff") is None
    with db.read() as session:
        hashes = session.scalars(select(Row.token_sha256).order_by(Row.id)).all()
    assert hashes[0] == hashlib.sha256(owls.token.encode()).hexdigest()
    assert owls.token not in repr(teams.listing(db, "spc"))


def test_a_name_is_taken_once_in_a_competition(db: Database) -> None:
    competition.load(db, TOML, chosen_id="other")
    add(db)
    with pytest.raises(UsageError, match="already has a team 'owls'"):
        add(db)
    add(db, competition_id="other")
    assert teams.by_name(db, "spc", "owls").name == "owls"
    with pytest.raises(UsageError, match="has no team 'cats'"):
        teams.by_name(db, "spc", "cats")
    with pytest.raises(UsageError, match="'cps' is unknown"):
        add(db, competition_id="cps")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31mred", "x" * 81, "\u202eslwo", "-x"])
def test_a_name_is_one_printable_line(db: Database, name: str) -> None:
    with pytest.raises(UsageError, match="the name"):
        add(db, name)


@pytest.mark.parametrize("url", ["", "-u x", "a\nb", "x" * 1001])
def test_an_address_is_one_printable_line(db: Database, url: str) -> None:
    with pytest.raises(UsageError, match="the repository"):
        add(db, repo_url=url)


def test_a_branch_is_a_branch(db: Database) -> None:
    with pytest.raises(UsageError, match="neither a commit nor"):
        add(db, branch="--upload-pack=x")
