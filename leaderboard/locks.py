"""What a lock has fixed: its protocol, its seals, its finalists; and whether there is one.

`leaderboard.lock` makes a lock, `leaderboard.human.opening` opens and closes what follows.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Competition, Submission, Team
from leaderboard.db.people import Finalist, Lock
from leaderboard.human import protocol as protocols
from leaderboard.human.protocol import Protocol
from leaderboard.quota import stamp


@dataclass(frozen=True, slots=True)
class Seal:
    """What the lock publishes of a hidden set: `name` is sha256(nonce || sha256), bytes of hex."""

    role: str
    name: str
    nonce: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FinalistLine:
    """One finalist, with all that its chats need to be those of the scored attempt.

    `passed_over` says why it does not chat; `withheld` why its score was hidden after the lock.
    """

    id: int
    place: int
    submission_id: int
    attempt_id: int
    team: str
    entry: str
    commit: str | None
    track: str
    image: str | None
    environment: str | None
    sandbox: str | None
    passed_over: str | None
    withheld: str | None

    @property
    def chats(self) -> bool:
        """Whether people may talk to it."""
        return self.passed_over is None and self.withheld is None


@dataclass(frozen=True, slots=True)
class Locked:
    """A locked competition; `opened_at` and `closed_at` are those of the human evaluation."""

    competition_id: str
    at: datetime
    reason: str
    protocol: Protocol
    protocol_sha256: str
    seals: tuple[Seal, ...]
    finalists: tuple[FinalistLine, ...]
    opened_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None


def expect_unlocked(session: Session, competition_id: str) -> None:
    """`UsageError` (`locked`) once the competition is locked: nothing may be scored any more.

    What follows in the same transaction is over before a lock can begin.
    """
    session.execute(
        select(Competition.id).where(Competition.id == competition_id).with_for_update(read=True)
    )
    at = session.scalar(select(Lock.at).where(Lock.competition_id == competition_id))
    if at is not None:
        raise UsageError(
            f"competition {competition_id} was locked at {stamp(at)}; its scores are final",
            code="locked",
        )


def locked(db: Database, competition_id: str) -> Locked | None:
    """What the lock of a competition fixed, or None if it is not locked."""
    with db.read() as session:
        return of_session(session, competition_id)


def of_session(session: Session, competition_id: str) -> Locked | None:
    """The same within the caller's transaction."""
    row = session.get(Lock, competition_id)
    if row is None:
        return None
    if protocols.digest(row.protocol) != row.protocol_sha256:
        raise UsageError(
            f"the frozen protocol of competition {competition_id} is damaged in the database",
            code="protocol_damaged",
            hint="Restore the database from a copy made after the lock.",
        )
    return Locked(
        competition_id=competition_id,
        at=row.at,
        reason=row.reason,
        protocol=protocols.loads(row.protocol),
        protocol_sha256=row.protocol_sha256,
        seals=tuple(Seal(**seal) for seal in row.seals),
        finalists=_finalists(session, competition_id),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        close_reason=row.close_reason,
    )


def finalist_attempts(session: Session, competition_id: str) -> frozenset[int] | None:
    """The attempts that the lock chose, those passed over too; None if it is not locked."""
    if session.get(Lock, competition_id) is None:
        return None
    chosen = select(Finalist.attempt_id).where(Finalist.competition_id == competition_id)
    return frozenset(session.scalars(chosen))


def not_locked(competition_id: str) -> UsageError:
    """The error of what needs a lock first."""
    return UsageError(
        f"competition {competition_id} is not locked, so it has no finalists",
        code="not_locked",
        hint="End its automatic part with `rostrum admin lock --reason TEXT`.",
    )


def _finalists(session: Session, competition_id: str) -> tuple[FinalistLine, ...]:
    rows = session.execute(
        select(Finalist, Attempt, Submission, Team.name)
        .join(Attempt, Attempt.id == Finalist.attempt_id)
        .join(Submission, Submission.id == Attempt.submission_id)
        .join(Team, Team.id == Attempt.team_id)
        .where(Finalist.competition_id == competition_id)
        .order_by(Finalist.place)
    )
    return tuple(
        FinalistLine(
            id=finalist.id,
            place=finalist.place,
            submission_id=submission.id,
            attempt_id=attempt.id,
            team=team,
            entry=submission.entry or team,
            commit=submission.commit,
            track=finalist.track,
            image=attempt.image,
            environment=attempt.environment,
            sandbox=attempt.sandbox,
            passed_over=finalist.passed_over,
            withheld=attempt.withheld,
        )
        for finalist, attempt, submission, team in rows
    )
