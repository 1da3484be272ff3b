"""Faults of what the workers stand on: afterwards every invariant holds, and nothing is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.asked import outlive, parameters
from chaos.faults import Fault
from chaos.ground import Park, park

STRUCK = (
    "redis-lost",
    "rabbitmq-lost",
    "embedded-broker-lost",
    "database-restarted",
    "engine-restarted",
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Park]:
    """Servers of these tests' own, which they may kill."""
    with park() as started:
        yield started


@pytest.mark.parametrize("fault", parameters(STRUCK))
def test_it_is_outlived(fault: Fault, tmp_path: Path, servers: Park) -> None:
    outlive(fault, tmp_path, servers)
