"""What is still there of a competition's cells: containers, and their folders on this machine."""

from harness.errors import OperatorError
from leaderboard import ledger
from worker.engine import engine
from worker.house import house
from worker.place import Place
from worker.settings import from_environment


def traces(db: ledger.Database, competition_id: str, *, split: str = "test") -> tuple[str, ...]:
    """A word for each container and each folder of a cell that is left."""
    end = f"-{house(db, competition_id, split=split)}"
    place = Place.open(from_environment().sandbox_directory)
    folders = [one.name for one in (place.root / "cells").iterdir() if f"{end}-" in one.name]
    return (*(f"container {name}" for name in _containers(end)), *folders)


def _containers(end: str) -> list[str]:
    """The names of containers that end so; none where there is no engine."""
    try:
        with engine() as client:
            cells = client.containers.list(
                all=True, filters={"label": "rostrum.cell"}, ignore_removed=True
            )
            return [str(one.name) for one in cells if str(one.name).endswith(end)]
    except OperatorError:
        return []
