"""The way to the database: one write transaction at a time, snapshots for readers.

SQLite and PostgreSQL behave alike here; what makes them is in `leaderboard.db.dialects`. `now` is
read once per transaction, from the database, so that several machines agree.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import settings
from leaderboard.db import dialects
from leaderboard.db.versions import HEAD

_RETRY_SECONDS = 0.25

Clock = Callable[[Session], datetime]


def database_clock(session: Session) -> datetime:
    """The database's own time, aware, in UTC."""
    if session.get_bind().dialect.name == "sqlite":
        stamp = session.scalar(text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')"))
        return datetime.fromisoformat(str(stamp)).replace(tzinfo=UTC)
    moment = session.scalar(text("SELECT clock_timestamp()"))  # not of BEGIN: a writer waits there
    if not isinstance(moment, datetime):
        raise TypeError(f"the database gave {moment!r} for its time")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. One per process: open it after a fork, not before.

    `patience` is for how many seconds a transaction may wait for a server that is away, before
    anything of it was done: a worker outlives a restart of the database so.
    """

    engine: Engine
    clock: Clock = database_clock
    patience: float = 0.0

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write; commits at the end, rolls back on an exception.

        It is alone from its first statement on, so what it has read stays true until it commits.
        """
        with self._session(dialects.writing(self.engine)) as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads one consistent snapshot and never waits for writers."""
        with self._session(dialects.reading(self.engine)) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        info = {"clock": self.clock}
        with Session(engine, expire_on_commit=False, info=info) as session:
            if self.patience:
                self._await(session)
            yield session

    def _await(self, session: Session) -> None:
        """Begin, as soon as the server is there."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                session.connection()
            except OperationalError:
                session.rollback()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

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


def open_database(
    url: str | None = None, *, clock: Clock = database_clock, patience: float = 0.0
) -> Database:
    """The database at `url` (`ROSTRUM_DATABASE_URL`), having checked that its tables are ours.

    `patience` as in `Database`. `UsageError` where it cannot be reached, was not initialised, or
    has another version.
    """
    database = replace(connect(url, clock=clock, create=False), patience=patience)
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
        parsed = dialects.chosen(make_url(url or settings.database_url()))
        if not create:
            _expect_file(parsed)
        engine = create_engine(parsed, hide_parameters=True, **dialects.options(parsed))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"the database cannot be opened: {error}",
            code="database_url",
            hint="Check ROSTRUM_DATABASE_URL and that its driver is installed.",
        ) from error
    dialects.prepare(engine)
    weakref.finalize(engine, engine.pool.dispose)  # a command that ends hangs up
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
