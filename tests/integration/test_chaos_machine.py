"""Faults of the machine itself: afterwards every invariant holds, and nothing is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.asked import outlive, parameters
from chaos.faults import Fault
from chaos.ground import Park, park

STRUCK = (
    "disk-full",
    "database-clock-stepped",
    "machine-clock-stepped",
    "two-beats",
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Park]:
    """Servers of these tests' own, which they may kill."""
    with park() as started:
        yield started


@pytest.mark.parametrize("fault", parameters(STRUCK))
def test_it_is_outlived(fault: Fault, tmp_path: Path, servers: Park) -> None:
    outlive(fault, tmp_path, servers)
