"""The row that keeps a competition: its `competition.toml` as loaded, and its key."""

import hashlib
import hmac
import secrets
from dataclasses import replace

from sqlalchemy import select

from harness.errors import UsageError
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Competition as Row
from leaderboard.rules import LIMITS, SANDBOXES, Competition, Human, Phase, identifier, parse
from leaderboard.settings import competition_id as chosen_id

__all__ = [
    "LIMITS",
    "SANDBOXES",
    "Competition",
    "Human",
    "Phase",
    "current",
    "get",
    "is_demo",
    "known",
    "load",
    "of_row",
    "parse",
    "secret",
    "unknown",
]


def load(
    db: Database, text: str, *, chosen_id: str | None = None, seed: int | None = None
) -> Competition:
    """Store a competition, or change the text of one that is there; returns it.

    `chosen_id` takes the place of the id in the text. With a `seed` it is a demo: the HMAC key of
    example ids follows from the seed, and the site says so. Otherwise the key is random. The key
    of a stored competition never changes, nor does the text of a locked one (`locked`).
    """
    competition = parse(text)
    if chosen_id is not None:
        competition = replace(competition, id=identifier(chosen_id))
    demo = seed is not None
    key = _demo_key(seed) if seed is not None else secrets.token_bytes(32)
    with db.write() as session:
        row = session.get(Row, competition.id)
        if row is None:
            row = Row(id=competition.id, secret=key, demo=demo, created_at=now(session))
            session.add(row)
        elif row.demo != demo or (demo and not hmac.compare_digest(row.secret, key)):
            kind = "a demo of another seed" if row.demo else "not a demo"
            raise UsageError(
                f"competition {competition.id} exists and is {kind}; its key cannot change",
                code="competition_exists",
                hint="Choose another id.",
            )
        elif row.toml != text:
            from leaderboard.locks import expect_unlocked  # the locks read competitions, too

            expect_unlocked(session, competition.id)
        row.title = competition.title
        row.toml = text
    return competition


def get(db: Database, competition_id: str) -> Competition:
    """The competition of this id; `UsageError` names the known ones."""
    return of_row(_row(db, competition_id))


def of_row(row: Row) -> Competition:
    """The competition of a row already read; its id is the row's."""
    return replace(parse(row.toml), id=row.id)


def secret(db: Database, competition_id: str) -> bytes:
    """The HMAC key of the competition's example ids; it never enters a sandbox or a page."""
    return _row(db, competition_id).secret


def is_demo(db: Database, competition_id: str) -> bool:
    """Whether the competition was loaded with a seed, so that its secrets are known."""
    return _row(db, competition_id).demo


def known(db: Database) -> list[str]:
    """The ids of all competitions, the newest first."""
    with db.read() as session:
        return list(session.scalars(select(Row.id).order_by(Row.created_at.desc(), Row.id)))


def current(db: Database) -> str:
    """The id that is meant where none is given: `ROSTRUM_COMPETITION`, else the newest one."""
    ids = known(db)
    chosen = chosen_id()
    if chosen is not None:
        if chosen not in ids:
            raise unknown(chosen, ids)
        return chosen
    if not ids:
        raise UsageError(
            "there is no competition yet",
            code="no_competition",
            hint="Load one with `rostrum admin competition load FILE`.",
        )
    return ids[0]


def unknown(competition_id: str, ids: list[str]) -> UsageError:
    """The error of an id that no competition has."""
    names = ", ".join(ids) or "none"
    return UsageError(
        f"competition {competition_id!r} is unknown; known: {names}", code="unknown_competition"
    )


def _row(db: Database, competition_id: str) -> Row:
    with db.read() as session:
        row = session.get(Row, competition_id)
    if row is None:
        raise unknown(competition_id, known(db))
    return row


def _demo_key(seed: int) -> bytes:
    return hmac.new(b"rostrum demo", str(seed).encode(), hashlib.sha256).digest()
