"""Bringing a database to the version of this code, by the migrations shipped with it."""

from alembic import command
from alembic.config import Config

from leaderboard.db.engine import Clock, Database, connect, database_clock


def configuration() -> Config:
    """Alembic's configuration: the migrations of this package, no file."""
    config = Config()
    config.set_main_option("script_location", "leaderboard.db:migrations")
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: Database) -> None:
    """Make the tables, or change them to the newest version; nothing if they are there."""
    config = configuration()
    with database.write() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "head")


def create(url: str | None = None, *, clock: Clock = database_clock) -> Database:
    """The database at `url` with its tables made or changed to the newest version."""
    database = connect(url, clock=clock)
    upgrade(database)
    return database
