"""The way to the database: one write transaction at a time on SQLite, snapshots for readers.

`now` is read once per transaction, from the database, so that several machines agree.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import settings
from leaderboard.db.versions import HEAD

BUSY_SECONDS = 10
"""How long a writer on SQLite waits for another one."""

_WRITE = "rostrum_write"

Clock = Callable[[Session], datetime]


def database_clock(session: Session) -> datetime:
    """The database's own time, aware, in UTC."""
    if session.get_bind().dialect.name == "sqlite":
        stamp = session.scalar(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')"))
        return datetime.fromisoformat(str(stamp)).replace(tzinfo=UTC)
    moment = session.scalar(text("SELECT CURRENT_TIMESTAMP"))
    if not isinstance(moment, datetime):
        raise TypeError(f"the database gave {moment!r} for its time")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. One per process: open it after a fork, not before."""

    engine: Engine
    clock: Clock = database_clock

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write; commits at the end, rolls back on an exception.

        On SQLite it holds the write lock from its first statement (BEGIN IMMEDIATE), so what it
        has read stays true until it commits.
        """
        engine = self.engine.execution_options(**{_WRITE: True})
        with self._session(engine) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads one consistent snapshot and never waits for writers."""
        with self._session(self.engine) as session:
            yield session

    def _session(self, engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False, info={"clock": self.clock})

    def close(self) -> None:
        """Close all connections; the object can still be used and then opens new ones."""
        self.engine.dispose()


def now(session: Session) -> datetime:
    """The time of this transaction: read from the database once, the same ever after."""
    if "now" not in session.info:
        with session.no_autoflush:  # the caller may be half way through making a row
            session.info["now"] = session.info["clock"](session)
    moment = session.info["now"]
    assert isinstance(moment, datetime)
    return moment


def open_database(url: str | None = None, *, clock: Clock = database_clock) -> Database:
    """The database at `url` (`ROSTRUM_DATABASE_URL`), having checked that its tables are ours.

    `UsageError` where it cannot be reached, was not initialised, or has another version.
    """
    database = connect(url, clock=clock, create=False)
    found = schema_version(database)
    if found != HEAD:
        state = f"has tables of version {found}, not {HEAD}" if found else "has no tables"
        raise UsageError(
            f"the database {_shown(database.engine.url)} {state}",
            code="database_version",
            hint="Run `rostrum admin init` with the version of Rostrum that you use.",
        )
    return database


def connect(
    url: str | None = None, *, clock: Clock = database_clock, create: bool = True
) -> Database:
    """The database at `url`, its tables unchecked; for `rostrum admin init`.

    A missing SQLite file is made only if `create`. Errors show no parameters: those hold hidden
    data and secrets.
    """
    try:
        parsed = make_url(url or settings.database_url())
        if not create:
            _expect_file(parsed)
        engine = create_engine(parsed, hide_parameters=True, **_options(parsed))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"the database cannot be opened: {error}",
            code="database_url",
            hint="Check ROSTRUM_DATABASE_URL and that its driver is installed.",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, clock)


def schema_version(database: Database) -> str | None:
    """The migration that the database is at, or None if it has no tables."""
    try:
        with database.read() as session:
            if not inspect(session.connection()).has_table("alembic_version"):
                return None
            version: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
            return version
    except DatabaseError as error:
        raise UsageError(
            f"the database {_shown(database.engine.url)} cannot be reached: {error.orig}",
            code="database_down",
        ) from error


def _options(url: URL) -> dict[str, Any]:  # Any: as create_engine takes them
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    return {"pool_pre_ping": True}


def _prepare_sqlite(connection: Any, _record: object) -> None:  # Any: a driver's connection
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    for pragma in ("journal_mode = WAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _expect_file(url: URL) -> None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    if not Path(url.database).is_file():
        raise UsageError(
            f"there is no database at {url.database}",
            code="no_database",
            hint="Run `rostrum admin init` once, or check ROSTRUM_HOME.",
        )


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
