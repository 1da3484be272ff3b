"""The tables: plain SQLAlchemy models without behaviour; rules live in the modules that use them.

`events` and `quota_entries` are append-only. `attempts` is moved by `leaderboard.ledger` alone. The
tables of the human evaluation stand in `leaderboard.db.people`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from leaderboard.db.times import UtcDateTime
from leaderboard.human.stages import ChatState, Speaker
from leaderboard.states import State

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Role(StrEnum):
    """What a data set is for."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"
    DICTIONARY = "dictionary"
    PERSONAS = "personas"


class Visibility(StrEnum):
    """Whether a data set may be shown, logged and given to a submission."""

    PUBLIC = "public"
    HIDDEN = "hidden"


class Kind(StrEnum):
    """What an entry of the quota ledger says; `leaderboard.quota` adds them up."""

    RESERVE = "reserve"
    CHARGE = "charge"
    RELEASE = "release"
    REFUND = "refund"
    REFUND_WAITS = "refund_waits"
    GRANT = "grant"


def _enum(kind: type[StrEnum]) -> Enum:
    """Stored as its value in plain text, so that a new member needs no migration."""
    return Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda members: [m.value for m in members],
    )


class Base(DeclarativeBase):
    """The common ground of the tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {  # Any: as SQLAlchemy types it
        datetime: UtcDateTime(),
        Role: _enum(Role),
        Visibility: _enum(Visibility),
        Kind: _enum(Kind),
        State: _enum(State),
        ChatState: _enum(ChatState),
        Speaker: _enum(Speaker),
    }


class Competition(Base):
    """One competition: its `competition.toml` as loaded, and the HMAC key of its example ids."""

    __tablename__ = "competitions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    toml: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    demo: Mapped[bool]
    created_at: Mapped[datetime]


class DataSet(Base):
    """One data set of one competition.

    `content` is zlib over canonical JSONL (for a dictionary: over its TSV), `sha256` the hex
    digest of the uncompressed bytes, `nonce` hex. `entries` counts the words of a dictionary.
    """

    __tablename__ = "data_sets"
    __table_args__ = (UniqueConstraint("competition_id", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    role: Mapped[Role]
    visibility: Mapped[Visibility]
    dialogues: Mapped[int]
    examples: Mapped[int]
    entries: Mapped[int | None]
    sha256: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class Team(Base):
    """A team of one competition; its token is stored as a hash only, which a worker cannot read."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("competition_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    name: Mapped[str] = mapped_column(String(80))
    repo_url: Mapped[str] = mapped_column(String(1000))
    branch: Mapped[str] = mapped_column(String(255))
    baseline: Mapped[bool]
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True, deferred=True)
    created_at: Mapped[datetime]


class Credential(Base):
    """What a worker shows to the host of a team's private repository, by `kind` (`ssh`, `https`).

    `public` may be shown: the key to paste, or the user's name. `sealed` is the secret, encrypted
    by `leaderboard.vault`; only a fetch opens it.
    """

    __tablename__ = "credentials"
    __table_args__ = (UniqueConstraint("team_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    kind: Mapped[str] = mapped_column(String(8))
    public: Mapped[str] = mapped_column(String(1000))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class Worker(Base):
    """One worker process as it announced itself: what it takes, and when it was last heard of.

    `queues` are names separated by commas, `slots` how many attempts of each at a time, `gpu` the
    device that it binds. `losses` counts attempts taken from it for silence; once `drained_at` is
    set it gets no further lease.
    """

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    queues: Mapped[str] = mapped_column(String(200))
    slots: Mapped[int]
    gpu: Mapped[str | None] = mapped_column(String(80))
    version: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    losses: Mapped[int] = mapped_column(default=0)
    drained_at: Mapped[datetime | None]
    drain_reason: Mapped[str | None] = mapped_column(String(500))


class Submission(Base):
    """What a team asked to be scored; `commit` and `entry` are known once it was fetched."""

    __tablename__ = "submissions"
    __table_args__ = (Index(None, "team_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    ref: Mapped[str] = mapped_column(String(255))
    commit: Mapped[str | None] = mapped_column(String(40))
    entry: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime]


class Attempt(Base):
    """One run of a submission: the row that moves.

    `fence` grows with every lease and every return to a waiting state, so an older holder can
    never write. `month` is the UTC month of acceptance, `split` what the phase of that moment
    scores. `withheld` is the reason for hiding a score, or NULL. `gpu` sends it to the workers that
    have one. A waiting attempt is left alone until `not_before`; its queue is ordered by `turn`:
    when it began to wait, or when another attempt of its team was last taken.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index(None, "state", "state_since"),
        Index(None, "state", "gpu", "turn"),
        Index(None, "submission_id"),
        Index(None, "team_id", "accepted_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    accepted_at: Mapped[datetime]
    month: Mapped[str] = mapped_column(String(7))
    split: Mapped[Role]
    state: Mapped[State]
    state_since: Mapped[datetime]
    fence: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    retries: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    heartbeat_at: Mapped[datetime | None]
    stop: Mapped[bool] = mapped_column(default=False)
    verdict_code: Mapped[str | None] = mapped_column(String(40))
    verdict_detail: Mapped[str | None] = mapped_column(String(40))
    tracks: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    environment: Mapped[str | None] = mapped_column(String(200))
    image: Mapped[str | None] = mapped_column(String(200))
    sandbox: Mapped[str | None] = mapped_column(String(20))
    can_chat: Mapped[bool | None]
    withheld: Mapped[str | None] = mapped_column(String(500))
    gpu: Mapped[bool] = mapped_column(default=False)
    not_before: Mapped[datetime | None]
    turn: Mapped[datetime | None]


class Event(Base):
    """One line of an attempt's timeline; `source` and `target` differ where the state moved."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "attempt_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    at: Mapped[datetime]
    source: Mapped[State | None]
    target: Mapped[State]
    fence: Mapped[int]
    worker: Mapped[str | None] = mapped_column(String(200))
    code: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(500), default="")


class TrackReport(Base):
    """One track of a scored attempt: what the board selects, and the whole document beside it.

    `value`, `low`, `high` are unrounded (ppl may be infinite); `document` is `Report.dumps()`.
    """

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("attempt_id", "track"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    track: Mapped[str] = mapped_column(String(8))
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    n: Mapped[int]
    signature: Mapped[str] = mapped_column(String(300))
    sandbox: Mapped[str] = mapped_column(String(20))
    tokens: Mapped[int | None]
    vocabulary: Mapped[int | None]
    document: Mapped[str] = mapped_column(Text, deferred=True)


class PreflightLog(Base):
    """The last bytes that a submission printed in its preflight, on public data only."""

    __tablename__ = "logs"
    __table_args__ = (UniqueConstraint("attempt_id", "track"), Index(None, "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    track: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(Text)


class QuotaEntry(Base):
    """One entry of the quota ledger; each kind at most once for an attempt."""

    __tablename__ = "quota_entries"
    __table_args__ = (
        UniqueConstraint("attempt_id", "kind"),
        Index(None, "team_id", "month"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempts.id"))
    month: Mapped[str] = mapped_column(String(7))
    kind: Mapped[Kind]
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500), default="")


class Round(Base):
    """One monthly round: each team's registered branch, submitted once in the UTC month."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("competition_id", "month"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    competition_id: Mapped[str] = mapped_column(ForeignKey("competitions.id"))
    month: Mapped[str] = mapped_column(String(7))
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500), default="")


class RoundEntry(Base):
    """What a round did with one team: a submission, or the reason why it was passed over."""

    __tablename__ = "round_entries"
    __table_args__ = (UniqueConstraint("round_id", "team_id"), Index(None, "submission_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    at: Mapped[datetime]
    code: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(500), default="")
