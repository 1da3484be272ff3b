"""The tables of the lock and the human evaluation: finalists, raters, conversations, judgements.

Plain models as in `leaderboard.db.models`. `turns` is append-only; `conversations` is moved by
`leaderboard.human.moves` alone.
"""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.db.models import Base
from leaderboard.human.stages import ChatState, Speaker


class Lock(Base):
    """The end of a competition's automatic part, and the opening and closing of its human one.

    `protocol` is canonical JSON, `protocol_sha256` the hex digest of its UTF-8 bytes, `board` the
    board's document as JSON, `seals` the names and nonces of the hidden sets.
    """

    __tablename__ = "locks"

    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"), primary_key=True)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500), default="")
    protocol: Mapped[str] = mapped_column(Text)
    protocol_sha256: Mapped[str] = mapped_column(String(64))
    board: Mapped[str] = mapped_column(Text, deferred=True)
    seals: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None] = mapped_column(String(500))


class Finalist(Base):
    """An attempt that the lock chose; `passed_over` says why it does not chat, or is NULL.

    `place` orders the finalists (1 is the best rank), `track` names the track file that chats.
    """

    __tablename__ = "finalists"
    __table_args__ = (UniqueConstraint("attempt_id"), Index(None, "competition_id", "place"))

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    place: Mapped[int]
    track: Mapped[str] = mapped_column(String(8))
    passed_over: Mapped[str | None] = mapped_column(String(500))


class Rater(Base):
    """One person who was invited to chat and judge; the link is signed, not stored.

    `share` is how many conversations are asked of them at most.
    """

    __tablename__ = "raters"
    __table_args__ = (UniqueConstraint("competition_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    name: Mapped[str] = mapped_column(String(80))
    share: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None] = mapped_column(String(500))


class Conversation(Base):
    """One live chat of a rater with a finalist: the task, its lease, and its place in life.

    `version` grows with every change that the page may show. `tab` is the browser tab that may
    write. `fence`, `worker`, `heartbeat_at` are the lease of the process that holds the container.
    `distractor` is the persona shown beside the partner's in the last question; `choices` are the
    two drawn ids by place on the page, and `partner_first` says which place is the partner's.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        Index(None, "state", "state_since"),
        Index(None, "rater_id"),
        Index(None, "finalist_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    finalist_id: Mapped[int] = mapped_column(ForeignKey("finalists.id"))
    rater_id: Mapped[int] = mapped_column(ForeignKey("raters.id"))
    created_at: Mapped[datetime]
    state: Mapped[ChatState]
    state_since: Mapped[datetime]
    active_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=0)
    tab: Mapped[str | None] = mapped_column(String(32))
    fence: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    heartbeat_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    void_code: Mapped[str | None] = mapped_column(String(40))
    void_detail: Mapped[str | None] = mapped_column(String(40))
    rater_persona: Mapped[list[str]] = mapped_column(JSON)
    partner_persona: Mapped[list[str]] = mapped_column(JSON)
    distractor: Mapped[list[str]] = mapped_column(JSON)
    partner_first: Mapped[bool]
    choices: Mapped[list[str]] = mapped_column(JSON)


class ChatTurn(Base):
    """One turn of a conversation; the rater's have even numbers and their client's id."""

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("conversation_id", "number"),
        UniqueConstraint("conversation_id", "client_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    number: Mapped[int]
    speaker: Mapped[Speaker]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    client_id: Mapped[str | None] = mapped_column(String(32))


class Judgement(Base):
    """What a rater answered about one conversation, each answer when it came; NULL is no answer."""

    __tablename__ = "judgements"

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    enjoyment: Mapped[int | None]
    enjoyment_at: Mapped[datetime | None]
    choice: Mapped[str | None] = mapped_column(String(16))
    detected: Mapped[bool | None]
    detected_at: Mapped[datetime | None]
