"""A fresh installation for each test that asks for one; built once, then copied."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stage import Stage


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
