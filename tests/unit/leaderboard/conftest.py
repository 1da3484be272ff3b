"""A database of its own for every test, with a clock that the test sets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from house import TOML, Clock, House

from leaderboard import competition
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def empty_db(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    """A database with tables and nothing in them."""
    database = create(f"sqlite:///{tmp_path / 'rostrum.db'}", clock=clock)
    yield database
    database.close()


@pytest.fixture
def db(empty_db: Database) -> Database:
    """A database with the competition `spc`."""
    competition.load(empty_db, TOML)
    return empty_db


@pytest.fixture
def house(db: Database, clock: Clock) -> House:
    return House(db, clock)
