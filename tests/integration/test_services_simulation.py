"""A small season over simulated workers, with everything that goes wrong: the invariants hold."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from services import Postgres

from leaderboard import invariants
from leaderboard.db.engine import open_database
from leaderboard.db.migrate import create
from tests.conftest import PROJECT

sys.path.insert(0, str(PROJECT / "tests" / "simulation"))
from simulated import Plan, Simulation

PLAN = replace(
    Plan(), submissions=40, workers=8, crash=1800.0, ours=0.04, cancelled=0.1, hint_lost=0.2
)


def _played(url: str, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    monkeypatch.setenv("ROSTRUM_LOST_SECONDS", str(PLAN.silence))
    database = open_database(url)
    simulation = Simulation(database, PLAN)
    try:
        simulation.run()
        assert invariants.broken(simulation.db) == []
    finally:
        database.close()
    return simulation


@pytest.mark.postgres
def test_on_both_databases_the_same_happens_and_nothing_is_broken(
    postgres: Postgres, tables: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = f"sqlite:///{tmp_path / 'rostrum.db'}"
    create(file).close()
    url = postgres.database(like=tables)
    on_sqlite, on_postgres = (_played(one, monkeypatch) for one in (file, url))
    postgres.drop(url)
    assert on_sqlite.happened == on_postgres.happened
    assert on_sqlite.seconds == on_postgres.seconds
    assert on_sqlite.happened["workers killed"] > 0
    assert on_sqlite.statements["attempt"] / PLAN.submissions / 3 <= 40
