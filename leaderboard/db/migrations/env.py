"""Alembic's way in: migrates the connection that `leaderboard.db.migrate` hands over."""

from alembic import context

from leaderboard.db import people  # noqa: F401  # its tables are in the metadata, too
from leaderboard.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
