"""Who may be talked to: what was scored of each finalist, and the order in which it is next."""

from dataclasses import dataclass

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Competition, Submission, Team
from leaderboard.db.people import Conversation, Finalist, Lock
from leaderboard.human.deadlines import protocol_of
from leaderboard.human.stages import ChatState


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """What a finalist chats by: the very commit, track file, image and packages that were scored.

    `gpu` says that it needs a worker with one; `reply_seconds` is the frozen protocol's.
    """

    competition_id: str
    attempt_id: int
    team: str
    team_id: int
    repo_url: str
    commit: str
    track: str
    image: str | None
    environment: str | None
    sandbox: str | None
    reply_seconds: int
    gpu: bool = False


def partners(db: Database) -> list[Partner]:
    """The finalists of every open evaluation that can chat, those with the fewest talks first."""
    talks = (
        select(func.count())
        .where(Conversation.finalist_id == Finalist.id, Conversation.state != ChatState.VOID)
        .correlate(Finalist)
        .scalar_subquery()
    )
    with db.read() as session:
        rows = session.execute(
            _scored()
            .where(
                Finalist.passed_over.is_(None),
                Attempt.withheld.is_(None),
                Lock.opened_at.is_not(None),
                Lock.closed_at.is_(None),
            )
            .order_by(talks, Finalist.competition_id, Finalist.place)
        )
        return [_partner(row) for row in rows]


def partner_of(session: Session, finalist_id: int) -> tuple[Partner, bytes]:
    """One finalist, and the secret of its competition."""
    row = session.execute(_scored().where(Finalist.id == finalist_id)).one()
    partner = _partner(row)
    secret = session.scalar(
        select(Competition.secret).where(Competition.id == partner.competition_id)
    )
    assert secret is not None, "a finalist has a competition"
    return partner, secret


def _scored() -> Select[Finalist, Attempt, Submission, Team, str]:
    return (
        select(Finalist, Attempt, Submission, Team, Lock.protocol)
        .join(Attempt, Attempt.id == Finalist.attempt_id)
        .join(Submission, Submission.id == Attempt.submission_id)
        .join(Team, Team.id == Attempt.team_id)
        .join(Lock, Lock.competition_id == Finalist.competition_id)
    )


def _partner(row: Row[Finalist, Attempt, Submission, Team, str]) -> Partner:
    finalist, attempt, submission, team, protocol = row
    return Partner(
        competition_id=finalist.competition_id,
        attempt_id=attempt.id,
        team=team.name,
        team_id=team.id,
        repo_url=team.repo_url,
        commit=submission.commit or "",
        track=finalist.track,
        image=attempt.image,
        environment=attempt.environment,
        sandbox=attempt.sandbox,
        reply_seconds=protocol_of(protocol).reply_seconds,
        gpu=attempt.gpu,
    )
