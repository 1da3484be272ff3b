"""A fresh installation for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage


@pytest.fixture(
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made = Stage.build(tmp_path / "stage", request.param)
    try:
        yield made
    finally:
        made.close()
