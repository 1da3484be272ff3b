"""What SQLite and PostgreSQL are told so that transactions mean the same on both.

Writers take turns and wait a bounded time for one another: on SQLite by `BEGIN IMMEDIATE`, on
PostgreSQL by one advisory lock. Readers have a snapshot. So a rule that holds in the tests on one
of them (a place in a quota, the last rating of a finalist) holds on the other, and there is no
deadlock. On PostgreSQL a writer that is frozen, or beyond a broken network, loses its turn before
the others lose their patience.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL

BUSY_SECONDS = 10
"""How long a writer on SQLite waits for another one."""

TURN_SECONDS = 25
"""The same on PostgreSQL."""

STILL_SECONDS = 10
"""How long a writer on PostgreSQL may lie still until the server ends its transaction."""

READ_SECONDS = 600
"""The same of a reader."""

_WRITE = "rostrum_write"
_TURN = 0x726F737472756D
"""The advisory lock of writers: `rostrum` in ASCII."""

_SERVER_SETTINGS = {
    "lock_timeout": f"{TURN_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{READ_SECONDS}s",
    "timezone": "UTC",
}
_CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's, in seconds (the last in milliseconds): after half a minute a vanished server is gone."""


def chosen(url: URL) -> URL:
    """The URL with the driver that is installed: psycopg 3 for `postgresql:` and `postgres:`."""
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def options(url: URL) -> dict[str, Any]:  # Any: as create_engine takes them
    """The arguments of `create_engine`; what the URL says itself goes before."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    said = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    return {"pool_pre_ping": True, "connect_args": said}


def prepare(engine: Engine) -> None:
    """Have every connection of a new engine set up."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_server)
        event.listen(engine, "begin", _begin_server)


def writing(engine: Engine) -> Engine:
    """The engine for a transaction that writes."""
    return engine.execution_options(**{_WRITE: True})


def reading(engine: Engine) -> Engine:
    """The engine for a transaction that only reads."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # Any: a driver's connection
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    for pragma in ("journal_mode = WAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _prepare_server(connection: Any, _record: object) -> None:  # Any: a driver's connection
    calls = ", ".join(
        f"set_config('{name}', '{to}', false)" for name, to in _SERVER_SETTINGS.items()
    )
    connection.execute(f"SELECT {calls}")
    connection.commit()


def _begin_server(connection: Connection) -> None:
    if _writes(connection):
        still = f"set_config('idle_in_transaction_session_timeout', '{STILL_SECONDS}s', true)"
        connection.exec_driver_sql(f"SELECT {still}, pg_advisory_xact_lock({_TURN})")


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(_WRITE, False))
