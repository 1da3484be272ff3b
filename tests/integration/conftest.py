"""A fresh installation for each test that asks for one; built once, then copied."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databases import moved
from gitservers import GitHost
from services import Postgres
from stage import Stage

from leaderboard import ledger
from leaderboard.db.migrate import create


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stage]:
    """The installation of a sandbox, that no test runs anything in."""
    made: dict[str, Stage] = {}

    def of(sandbox: str) -> Stage:
        if sandbox not in made:
            base = tmp_path_factory.mktemp(f"model-{sandbox}") / "stage"
            made[sandbox] = Stage.build(base, sandbox)
        return made[sandbox]

    return of


@pytest.fixture
def stages(model: Callable[[str], Stage], tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    """Makes installations of a sandbox; what they run is ended after the test."""
    made: list[Stage] = []

    def of(sandbox: str) -> Stage:
        made.append(model(sandbox).copied(tmp_path / f"stage-{len(made)}"))
        return made[-1]

    yield of
    for stage in made:
        stage.close()


@pytest.fixture(
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def stage(request: pytest.FixtureRequest, stages: Callable[[str], Stage]) -> Stage:
    """One installation, in each of the sandboxes."""
    return stages(request.param)


@pytest.fixture(scope="session")
def tables(postgres: Postgres) -> str:
    """The URL of a database on PostgreSQL with our tables and no row, to be copied."""
    url = postgres.database()
    create(url).close()
    return url


@pytest.fixture
def grown(
    model: Callable[[str], Stage], postgres: Postgres, tables: str, tmp_path: Path
) -> Iterator[Callable[..., Stage]]:
    """Makes installations over PostgreSQL and the broker at a URL; ended after the test."""
    made: list[Stage] = []

    def of(sandbox: str, *, broker: str) -> Stage:
        plan, url = model(sandbox), postgres.database(like=tables)
        moved(plan.base / "home" / "rostrum.db", ledger.open_database(url)).close()
        base = tmp_path / f"grown-{len(made)}"
        made.append(plan.copied(base, database=url, broker=broker))
        (base / "home" / "rostrum.db").unlink()
        (base / "home" / "broker.db").unlink()
        return made[-1]

    yield of
    for stage in made:
        stage.close()
        postgres.drop(stage.variables["ROSTRUM_DATABASE_URL"])


@pytest.fixture(scope="session")
def githost() -> Iterator[GitHost]:
    """A git host on loopback, its repositories private; mark the test `ssh`."""
    with GitHost.running() as host:
        yield host
