"""What a request knows besides its own bytes: the database of the application."""

from flask import current_app

from leaderboard.db.engine import Database

EXTENSION = "rostrum_database"


def database() -> Database:
    """The database that `create_app` was given."""
    db = current_app.extensions[EXTENSION]
    assert isinstance(db, Database)
    return db
