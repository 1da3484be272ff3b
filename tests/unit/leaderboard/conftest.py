"""A database of its own for every test, with a clock that the test sets.

Every test that has a database runs twice: on SQLite, and on PostgreSQL. A test of one of them alone
is marked `one_database(name)`.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import humanworld
import pytest
from databases import POSTGRES, SQLITE, emptied, moved, server
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what has a database on each of them."""
    has_world = "humanworld" in vars(metafunc.module)
    if not has_world and "empty_db" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("one_database")
    names = only.args if only else (SQLITE, POSTGRES)
    marks = {SQLITE: (), POSTGRES: pytest.mark.postgres}
    metafunc.fixturenames += ["backend"] * ("backend" not in metafunc.fixturenames)
    metafunc.parametrize(
        "backend", [pytest.param(name, marks=marks[name]) for name in names], indirect=True
    )


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a PostgreSQL database with the tables; tests empty it before they begin."""
    url = request.getfixturevalue("postgres").database()
    create(url).close()
    yield url
    server(url).close()


@pytest.fixture
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database of the test: the folder of its file is the test's own, or the server's URL."""
    if request.param == SQLITE:
        yield ""
        return
    url = request.getfixturevalue("served")

    def world(file: Path, clock: Clock) -> Database:
        return moved(file, emptied(url, clock=clock))

    monkeypatch.setattr(humanworld, "DATABASE", world)
    yield url


@pytest.fixture(autouse=True)
def _on_the_backend(request: pytest.FixtureRequest) -> None:
    """Worlds are made by a function, not by a fixture: see that they find their database."""
    if "backend" in getattr(request.node, "callspec", _Plain).params:
        request.getfixturevalue("backend")


class _Plain:
    params: ClassVar[dict[str, object]] = {}


@pytest.fixture
def empty_db(backend: str, migrated: Path, tmp_path: Path, clock: Clock) -> Iterator[Database]:
    """A database with tables and nothing in them."""
    if backend:
        yield emptied(backend, clock=clock)
        return
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
