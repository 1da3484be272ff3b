"""A database of its own for every test, with a clock that the test sets."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import TOML, Clock, House

from leaderboard import competition
from leaderboard.db.engine import Database, open_database
from leaderboard.db.migrate import create


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, made once by the migrations; tests work on copies."""
    path = tmp_path_factory.mktemp("migrated") / "rostrum.db"
    create(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def empty_db(migrated: Path, tmp_path: Path, clock: Clock) -> Iterator[Database]:
    """A database with tables and nothing in them."""
    path = shutil.copy(migrated, tmp_path / "rostrum.db")
    database = open_database(f"sqlite:///{path}", clock=clock)
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
