"""A seeded competition, and the site over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import siteworld
from flask.testing import FlaskClient

from leaderboard import hints
from leaderboard.states import Queue
from leaderboard.web import create_app


@pytest.fixture
def world(tmp_path: Path) -> Iterator[siteworld.World]:
    """One open competition with nobody in it."""
    made = siteworld.empty(tmp_path)
    yield made
    made.db.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[siteworld.World]:
    """A competition in full swing, for tests that only read."""
    made = siteworld.full(tmp_path_factory.mktemp("full"))
    yield made
    made.db.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Queue, int]]:
    """The hints that were sent, instead of a broker."""
    hinted: list[tuple[Queue, int]] = []

    def send(queue: Queue, number: int, *, gpu: bool = False, seconds: float | None = None) -> bool:
        hinted.append((queue, number))
        return True

    monkeypatch.setattr(hints, "send", send)
    return hinted


@pytest.fixture
def site(world: siteworld.World, sent: list[tuple[Queue, int]]) -> FlaskClient:
    """A client of the empty competition's site."""
    return create_app(world.db).test_client()


@pytest.fixture
def reader(full: siteworld.World) -> FlaskClient:
    """A client of the full competition's site."""
    return create_app(full.db).test_client()
