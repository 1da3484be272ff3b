"""What a request knows besides its own bytes: the database and the key of its application."""

from flask import current_app

from leaderboard import settings
from leaderboard.db.engine import Database

EXTENSION = "rostrum_database"
KEY_EXTENSION = "rostrum_key"


def database() -> Database:
    """The database that `create_app` was given."""
    db = current_app.extensions[EXTENSION]
    assert isinstance(db, Database)
    return db


def signing_key() -> bytes:
    """The key of the raters' links: the one that `create_app` was given, else the site's own."""
    key = current_app.extensions[KEY_EXTENSION]
    return key if isinstance(key, bytes) else settings.secret_key()
