"""What a worker's own database role may do: run attempts and chats, and nothing beside that.

A worker runs next to strangers' code. With this role whoever took one over could still not read who
the raters are or what they answered, nor a team's token, nor change a data set, a rule or a team.
PostgreSQL only; `rostrum admin init --worker-role NAME` grants it, and again after an upgrade.
"""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import Database
from leaderboard.db.models import Base

_READ = ("SELECT",)
_APPEND = ("SELECT", "INSERT")

WORKER: dict[str, tuple[str, ...]] = {
    "alembic_version": _READ,
    "attempts": ("SELECT", "UPDATE"),
    # a row is locked by whoever may change a column of it: this one means nothing
    "competitions": ("SELECT", "UPDATE (created_at)"),
    "conversations": ("SELECT", "UPDATE"),
    "credentials": _READ,  # sealed; the key is a file of the worker's own
    "data_sets": _READ,
    "events": _APPEND,
    "finalists": _READ,
    "judgements": (),
    "locks": _READ,
    "logs": ("SELECT", "INSERT", "DELETE"),
    "quota_entries": _APPEND,
    "raters": (),
    "reports": _APPEND,
    "round_entries": ("SELECT", "INSERT", "UPDATE"),
    "rounds": _READ,
    "submissions": ("SELECT", 'UPDATE ("commit", entry)'),
    "teams": (
        "SELECT (id, competition_id, name, repo_url, branch, baseline, created_at)",
        "UPDATE (created_at)",
    ),
    "turns": _APPEND,
    "workers": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""The privileges of a worker on every table; a new table needs a line here."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def grant_worker(db: Database, role: str) -> None:
    """Give `role`, which must exist, what a worker needs, and take from it all else.

    `UsageError` codes: `role_needs_postgres`, `bad_role`, `unknown_role`.
    """
    if db.engine.dialect.name != "postgresql":
        raise UsageError(
            "only PostgreSQL has roles, and this database is another",
            code="role_needs_postgres",
            hint="Set ROSTRUM_DATABASE_URL, or leave --worker-role out.",
        )
    if not _NAME.fullmatch(role):
        raise UsageError(
            f"the role {role[:80]!r} is no plain name",
            code="bad_role",
            hint="Use small letters, digits and underscores, such as `rostrum_worker`.",
        )
    with db.write() as session:
        _expect(session, role)
        for statement in statements(role):
            session.execute(text(statement))


def statements(role: str) -> list[str]:
    """The SQL that makes `role` a worker's, whatever it was before."""
    lines = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
    ]
    for table, privileges in WORKER.items():
        lines += [f"GRANT {privilege} ON {table} TO {role}" for privilege in privileges]
        if "INSERT" in privileges and _is_numbered(table):
            lines.append(f"GRANT USAGE ON SEQUENCE {table}_id_seq TO {role}")
    return lines


def _is_numbered(table: str) -> bool:
    return Base.metadata.tables[table].autoincrement_column is not None


def _expect(session: Session, role: str) -> None:
    found = session.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    if found is None:
        raise UsageError(
            f"the database knows no role {role}",
            code="unknown_role",
            hint=f"Make it first: CREATE ROLE {role} LOGIN PASSWORD '...'",
        )
