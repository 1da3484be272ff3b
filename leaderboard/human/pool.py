"""The personas that live chats are drawn from, parsed once per process.

They come from the public role `personas`, by default from the valid set; never from a hidden set.
"""

from sqlalchemy import select

from harness.errors import UsageError
from leaderboard import datasets
from leaderboard.db.engine import Database
from leaderboard.db.models import DataSet, Role, Visibility
from leaderboard.human.personas import Persona

KEPT = 8
"""How many pools a process remembers."""

_pools: dict[str, tuple[Persona, ...]] = {}


def personas(db: Database, competition_id: str) -> tuple[Persona, ...]:
    """The different personas of a competition, in the order of the data set.

    `UsageError` if there is no set to draw from (`data_missing`), or a hidden one (`bad_data`).
    """
    sha256 = _sha256(db, competition_id)
    pool = _pools.get(sha256) if sha256 else None
    if pool is None:
        found = datasets.dialogues(db, competition_id, Role.PERSONAS.value)
        pool = tuple(dict.fromkeys(dialogue.persona for dialogue in found if dialogue.persona))
        if sha256:
            while len(_pools) >= KEPT:
                _pools.pop(next(iter(_pools)), None)
            _pools[sha256] = pool
    return pool


def _sha256(db: Database, competition_id: str) -> str | None:
    with db.read() as session:
        rows = session.execute(
            select(DataSet.role, DataSet.visibility, DataSet.sha256).where(
                DataSet.competition_id == competition_id,
                DataSet.role.in_([Role.PERSONAS, Role.VALID]),
            )
        ).all()
    found = {role: (visibility, sha256) for role, visibility, sha256 in rows}
    chosen = found.get(Role.PERSONAS) or found.get(Role.VALID)
    if chosen is None:
        return None
    if chosen[0] is not Visibility.PUBLIC:
        raise UsageError(
            f"the personas of competition {competition_id} are in a hidden set", code="bad_data"
        )
    return chosen[1]
