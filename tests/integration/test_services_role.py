"""A worker with a database role of its own: it lives on it, and can read nobody's secrets."""

from collections.abc import Callable

import psycopg
import pytest
from databases import tables as all_tables
from services import Postgres, Redis
from stage import Stage, good

from leaderboard import invariants
from leaderboard.db.roles import WORKER
from leaderboard.states import State

ROLE, PASSWORD = "rostrum_worker", "of-the-tests"

pytestmark = pytest.mark.postgres


@pytest.fixture
def worker_url(postgres: Postgres) -> Callable[[Stage], str]:
    """Grants the role on a stage's database; the URL that a worker is given."""

    def of(stage: Stage) -> str:
        postgres.execute(
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        stage.rostrum("admin", "init", "--worker-role", ROLE)
        name = stage.variables["ROSTRUM_DATABASE_URL"].rpartition("/")[2]
        return postgres.url_of(name, user=ROLE, password=PASSWORD)

    return of


def refused(url: str, statement: str) -> bool:
    """Whether the role may not do this."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


@pytest.mark.bubblewrap
@pytest.mark.redis
def test_a_worker_lives_on_its_role_and_reads_no_secret(
    grown: Callable[..., Stage], redis: Redis, worker_url: Callable[[Stage], str]
) -> None:
    redis.empty()
    stage = grown("bubblewrap", broker=redis.url)
    owner, url = stage.variables["ROSTRUM_DATABASE_URL"], worker_url(stage)
    stage.start("beat")
    stage.variables["ROSTRUM_DATABASE_URL"] = url
    stage.start("worker")
    stage.variables["ROSTRUM_DATABASE_URL"] = owner
    good_one = stage.submit(stage.team("good", good("hits", "f1")))
    bad_one = stage.submit(stage.team("bad", good("f1", agent="raise ValueError\n")))
    assert stage.wait(good_one, State.SCORED, State.FAILED) is State.SCORED, stage.logs()
    assert stage.wait(bad_one, State.SCORED, State.FAILED) is State.FAILED
    assert stage.shown(bad_one)["verdict"]["code"] == "crashed"
    assert invariants.broken(stage.db) == []
    assert "permission denied" not in stage.logs()
    for statement in (
        "SELECT name FROM raters",
        "SELECT enjoyment FROM judgements",
        "SELECT token_sha256 FROM teams",
        "SELECT * FROM teams",
        "UPDATE teams SET repo_url = 'x'",
        "UPDATE data_sets SET content = ''",
        "UPDATE competitions SET toml = ''",
        "DELETE FROM events",
        "UPDATE quota_entries SET kind = 'grant'",
        "UPDATE reports SET value = 1",
        "CREATE TABLE mine (n integer)",
    ):
        assert refused(url, statement), statement


def test_every_table_has_its_line() -> None:
    assert {table.name for table in all_tables()} | {"alembic_version"} == set(WORKER)
