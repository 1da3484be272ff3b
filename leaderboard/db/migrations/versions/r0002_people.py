"""Rounds, the lock, and the tables of the human evaluation."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_rounds_competition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rounds"),
        sa.UniqueConstraint("competition_id", "month", name="uq_rounds_competition_id_month"),
    )
    op.create_table(
        "round_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_round_entries_round_id"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name="fk_round_entries_submission_id"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_round_entries_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_round_entries"),
        sa.UniqueConstraint("round_id", "team_id", name="uq_round_entries_round_id_team_id"),
    )
    op.create_index("ix_round_entries_submission_id", "round_entries", ["submission_id"])
    op.create_table(
        "locks",
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("protocol_sha256", sa.String(64), nullable=False),
        sa.Column("board", sa.Text(), nullable=False),
        sa.Column("seals", sa.JSON(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("close_reason", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_locks_competition_id"
        ),
        sa.PrimaryKeyConstraint("competition_id", name="pk_locks"),
    )
    op.create_table(
        "finalists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("track", sa.String(8), nullable=False),
        sa.Column("passed_over", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name="fk_finalists_attempt_id"),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_finalists_competition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_finalists"),
        sa.UniqueConstraint("attempt_id", name="uq_finalists_attempt_id"),
    )
    op.create_index("ix_finalists_competition_id_place", "finalists", ["competition_id", "place"])
    op.create_table(
        "raters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoke_reason", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_raters_competition_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_raters"),
        sa.UniqueConstraint("competition_id", "name", name="uq_raters_competition_id_name"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("competition_id", sa.String(64), nullable=False),
        sa.Column("finalist_id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sa.Column("active_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tab", sa.String(32), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(200), nullable=True),
        sa.Column("heartbeat_at", MOMENT, nullable=True),
        sa.Column("opened_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("void_code", sa.String(40), nullable=True),
        sa.Column("void_detail", sa.String(40), nullable=True),
        sa.Column("rater_persona", sa.JSON(), nullable=False),
        sa.Column("partner_persona", sa.JSON(), nullable=False),
        sa.Column("distractor", sa.JSON(), nullable=False),
        sa.Column("partner_first", sa.Boolean(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["competition_id"], ["competitions.id"], name="fk_conversations_competition_id"
        ),
        sa.ForeignKeyConstraint(
            ["finalist_id"], ["finalists.id"], name="fk_conversations_finalist_id"
        ),
        sa.ForeignKeyConstraint(["rater_id"], ["raters.id"], name="fk_conversations_rater_id"),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_finalist_id", "conversations", ["finalist_id"])
    op.create_index("ix_conversations_rater_id", "conversations", ["rater_id"])
    op.create_index("ix_conversations_state_state_since", "conversations", ["state", "state_since"])
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("client_id", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_turns_conversation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("conversation_id", "number", name="uq_turns_conversation_id_number"),
        sa.UniqueConstraint(
            "conversation_id", "client_id", name="uq_turns_conversation_id_client_id"
        ),
    )
    op.create_table(
        "judgements",
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("enjoyment", sa.Integer(), nullable=True),
        sa.Column("enjoyment_at", MOMENT, nullable=True),
        sa.Column("choice", sa.String(16), nullable=True),
        sa.Column("detected", sa.Boolean(), nullable=True),
        sa.Column("detected_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_judgements_conversation_id"
        ),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_judgements"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("judgements")
    op.drop_table("turns")
    op.drop_index("ix_conversations_finalist_id", table_name="conversations")
    op.drop_index("ix_conversations_rater_id", table_name="conversations")
    op.drop_index("ix_conversations_state_state_since", table_name="conversations")
    op.drop_table("conversations")
    op.drop_table("raters")
    op.drop_index("ix_finalists_competition_id_place", table_name="finalists")
    op.drop_table("finalists")
    op.drop_table("locks")
    op.drop_index("ix_round_entries_submission_id", table_name="round_entries")
    op.drop_table("round_entries")
    op.drop_table("rounds")
