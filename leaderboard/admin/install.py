"""Making a place to run in: folder, keys, tables of database and embedded broker.

Each step leaves alone what is there, so the command may be repeated, and is how one upgrades.
"""

import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kombu.connection import Connection
from sqlalchemy import make_url

from harness.errors import UsageError
from leaderboard import hints, settings, vault
from leaderboard.db.engine import connect, schema_version
from leaderboard.db.migrate import upgrade
from leaderboard.db.versions import HEAD

EMBEDDED = "sqla+"


@dataclass(frozen=True, slots=True)
class Installed:
    """Where everything is; `made` names the steps that changed something."""

    home: Path
    database: str
    broker: str
    made: tuple[str, ...]


def install() -> Installed:
    """Make what is missing; `UsageError` where the folder or a database cannot be made."""
    made = []
    if _make_home(settings.home()):
        made.append("home")
    if _make_secret_key(settings.secret_key_path()):
        made.append("secret_key")
    if vault.make_key(settings.vault_key_path()):
        made.append("vault_key")
    database = connect()
    if schema_version(database) != HEAD:
        upgrade(database)
        made.append("database")
    shown = database.engine.url.render_as_string(hide_password=True)
    database.close()
    broker = settings.broker_url()
    if broker.startswith(EMBEDDED):
        _make_broker(broker)
    return Installed(settings.home(), shown, _without_password(broker), tuple(made))


def _make_home(home: Path) -> bool:
    """Make the folder for its owner alone; whether it was missing."""
    try:
        missing = not home.is_dir()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
    except OSError as error:
        raise UsageError(
            f"the folder {home} cannot be made: {error.strerror}",
            code="no_home",
            hint="Set ROSTRUM_HOME to a folder that you may write to.",
        ) from error
    return missing


def _make_secret_key(path: Path) -> bool:
    """Make the signing key, readable by its owner alone; an existing one is kept."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        settings.secret_key()
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(settings.SECRET_BYTES).encode("ascii"))
    return True


def _make_broker(url: str) -> None:
    """Make tables and queues of Celery's SQLAlchemy transport before processes race to do it."""
    file = make_url(url.removeprefix(EMBEDDED))
    if file.get_backend_name() == "sqlite" and file.database:
        with closing(sqlite3.connect(file.database)) as raw:
            raw.execute("PRAGMA journal_mode = WAL")
    with Connection(url) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
        channel = connection.default_channel
        session = channel.session  # opening it makes the tables
        for name in hints.channels():
            channel.queue_declare(queue=name)
        session.close()
        session.get_bind().dispose()


def _without_password(url: str) -> str:
    scheme, colon, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{colon}{user}:***{at}{host}" if ":" in credentials else url
