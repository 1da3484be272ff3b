"""Which migration this version of Rostrum expects; apart, so that opening needs no Alembic."""

HEAD = "r0003"
