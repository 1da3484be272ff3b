"""The databases that tests run on: rows deleted from one on PostgreSQL, or moved there from SQLite.

To delete the rows takes a twelfth of the time of a new database.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, MetaData, Table, TextClause, delete, insert, inspect, select, text

from leaderboard.db.engine import Clock, Database, open_database
from leaderboard.db.models import Base

SQLITE, POSTGRES = "sqlite", "postgres"

KEPT = "alembic_version"


@cache
def server(url: str) -> Database:
    """The PostgreSQL database at `url`, opened once: statements are compiled for an engine."""
    return open_database(url)


def emptied(url: str, *, clock: Clock) -> Database:
    """The PostgreSQL database at `url` without a row, its numbers beginning at 1 again."""
    database = replace(server(url), clock=clock)
    with database.write() as session:
        for table in reversed(tables()):
            session.execute(delete(table))
        numbers = (f"setval('{name}', 1, false)" for name in _sequences(database.engine))
        session.execute(text(f"SELECT {', '.join(numbers)}"))
    return database


def moved(file: Path, target: Database) -> Database:
    """`target`, emptied before, with the rows of an SQLite file."""
    source = open_database(f"sqlite:///{file}", clock=target.clock)
    with source.read() as reader, target.write() as writer:
        for table in tables():
            if rows := [dict(row._mapping) for row in reader.execute(select(table))]:
                writer.execute(insert(table), rows)
        for table in tables():
            if table.autoincrement_column is not None:
                writer.execute(_renumbered(table))
    source.close()
    return target


@cache
def tables() -> list[Table]:
    """All tables, each after those that it refers to."""
    metadata: MetaData = Base.metadata
    return [table for table in metadata.sorted_tables if table.name != KEPT]


@cache
def _sequences(engine: Engine) -> list[str]:
    return sorted(inspect(engine).get_sequence_names())


def _renumbered(table: Table) -> TextClause:
    assert table.autoincrement_column is not None
    number = table.autoincrement_column.name
    return text(
        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{number}'), "
        f'coalesce(max("{number}") + 1, 1), false) FROM "{table.name}"'
    )
