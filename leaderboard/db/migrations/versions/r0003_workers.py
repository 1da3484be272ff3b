"""Workers that announce themselves, secrets of private repositories, GPUs and waits of attempts."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables and columns."""
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("public", sa.String(1000), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_credentials_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("team_id", "kind", name="uq_credentials_team_id_kind"),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("queues", sa.String(200), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("gpu", sa.String(80), nullable=True),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("drained_at", MOMENT, nullable=True),
        sa.Column("drain_reason", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.add_column(
        "attempts", sa.Column("gpu", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("attempts", sa.Column("not_before", MOMENT, nullable=True))
    op.add_column("attempts", sa.Column("turn", MOMENT, nullable=True))
    op.execute("UPDATE attempts SET turn = state_since WHERE state IN ('received', 'queued')")
    op.create_index("ix_attempts_state_gpu_turn", "attempts", ["state", "gpu", "turn"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_attempts_state_gpu_turn", "attempts")
    op.drop_column("attempts", "turn")
    op.drop_column("attempts", "not_before")
    op.drop_column("attempts", "gpu")
    op.drop_table("workers")
    op.drop_table("credentials")
