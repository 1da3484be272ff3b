"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "competitions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("toml", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_competitions"),
    )
    op.create_table(
        "data_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("dialogues", sa.Integer(), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_data_sets_competition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_data_sets"),
        sa.UniqueConstraint("competition_id", "role", name="uq_data_sets_competition_id_role"),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("repo_url", sa.String(1000), nullable=False),
        sa.Column("branch", sa.String(255), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_teams_competition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("competition_id", "name", name="uq_teams_competition_id_name"),
        sa.UniqueConstraint("token_sha256", name="uq_teams_token_sha256"),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("commit", sa.String(40), nullable=True),
        sa.Column("entry", sa.String(80), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_submissions_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
    )
    op.create_index(
        "ix_submissions_team_id_created_at", "submissions", ["team_id", "created_at"], unique=False
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(200), nullable=True),
        sa.Column("heartbeat_at", MOMENT, nullable=True),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.Column("verdict_code", sa.String(40), nullable=True),
        sa.Column("verdict_detail", sa.String(40), nullable=True),
        sa.Column("tracks", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("environment", sa.String(200), nullable=True),
        sa.Column("image", sa.String(200), nullable=True),
        sa.Column("sandbox", sa.String(20), nullable=True),
        sa.Column("can_chat", sa.Boolean(), nullable=True),
        sa.Column("withheld", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name="fk_attempts_submission_id"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_attempts_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index(
        "ix_attempts_state_state_since", "attempts", ["state", "state_since"], unique=False
    )
    op.create_index("ix_attempts_submission_id", "attempts", ["submission_id"], unique=False)
    op.create_index(
        "ix_attempts_team_id_accepted_at", "attempts", ["team_id", "accepted_at"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("source", sa.String(16), nullable=True),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(200), nullable=True),
        sa.Column("code", sa.String(40), nullable=True),
        sa.Column("note", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_events_attempt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_attempt_id_id", "events", ["attempt_id", "id"], unique=False)
    op.create_table(
        "logs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("track", sa.String(8), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_logs_attempt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_logs"),
        sa.UniqueConstraint("attempt_id", "track", name="uq_logs_attempt_id_track"),
    )
    op.create_index("ix_logs_at", "logs", ["at"], unique=False)
    op.create_table(
        "quota_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_quota_entries_attempt_id"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_quota_entries_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quota_entries"),
        sa.UniqueConstraint("attempt_id", "kind", name="uq_quota_entries_attempt_id_kind"),
    )
    op.create_index(
        "ix_quota_entries_team_id_month", "quota_entries", ["team_id", "month"], unique=False
    )
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("track", sa.String(8), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("signature", sa.String(300), nullable=False),
        sa.Column("sandbox", sa.String(20), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=True),
        sa.Column("vocabulary", sa.Integer(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_reports_attempt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("attempt_id", "track", name="uq_reports_attempt_id_track"),
    )


def downgrade() -> None:
    """Remove the tables and all that is in them."""
    op.drop_table("reports")
    op.drop_index("ix_quota_entries_team_id_month", table_name="quota_entries")
    op.drop_table("quota_entries")
    op.drop_index("ix_logs_at", table_name="logs")
    op.drop_table("logs")
    op.drop_index("ix_events_attempt_id_id", table_name="events")
    op.drop_table("events")
    op.drop_index("ix_attempts_team_id_accepted_at", table_name="attempts")
    op.drop_index("ix_attempts_submission_id", table_name="attempts")
    op.drop_index("ix_attempts_state_state_since", table_name="attempts")
    op.drop_table("attempts")
    op.drop_index("ix_submissions_team_id_created_at", table_name="submissions")
    op.drop_table("submissions")
    op.drop_table("teams")
    op.drop_table("data_sets")
    op.drop_table("competitions")
