"""When a conversation has waited too long, and for whom.

Whoever meets an overdue conversation ends it: the rater's page, the next claim, the sweep. So a
killed worker or a sweep that does not run never leaves a rater waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from leaderboard.db.engine import now
from leaderboard.db.people import ChatTurn, Conversation, Lock
from leaderboard.human import moves, protocol
from leaderboard.human.protocol import Protocol
from leaderboard.human.stages import ChatState, Speaker

GRACE = timedelta(seconds=3)
"""How long after its deadline a reply is still waited for: its worker needs time to say so."""

SILENCE = timedelta(seconds=10)
"""A worker silent for so long is at fault for a missing reply, not the agent."""

LOST = timedelta(seconds=30)
"""A worker silent for so long holds no container any more, whether a reply is awaited or not.

It beats every three seconds while it holds a chat; the sweep's longer patience is for attempts.
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the deadlines of a conversation depend on; `awaited_since` is a turn without a reply."""

    conversation: Conversation
    protocol: Protocol
    awaited_since: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """Why a conversation is over now: a void reason and, for the model's fault, its detail."""

    code: str
    detail: str | None = None


@lru_cache(maxsize=16)
def protocol_of(text: str) -> Protocol:
    """The protocol as a lock keeps it; read so often that it is remembered."""
    return protocol.loads(text)


def standings(
    session: Session, where: ColumnElement[bool], *, skip_locked: bool = False
) -> list[Standing]:
    """The conversations that match, locked for a change; with `skip_locked` only the free ones."""
    rows = session.execute(
        select(Conversation, Lock.protocol)
        .join(Lock, Lock.competition_id == Conversation.competition_id)
        .where(where)
        .order_by(Conversation.id)
        .with_for_update(of=Conversation, skip_locked=skip_locked)
    ).all()
    since = _awaited(session, [row[0].id for row in rows if row[0].state is ChatState.OPEN])
    return [
        Standing(conversation, protocol_of(text), since.get(conversation.id))
        for conversation, text in rows
    ]


def due(standing: Standing, *, moment: datetime) -> Due | None:
    """Why this conversation is over at `moment`, or None while it may go on."""
    conversation, rules = standing.conversation, standing.protocol
    waited = timedelta(seconds=rules.wait_seconds)
    idle = timedelta(seconds=rules.idle_seconds)
    match conversation.state:
        case ChatState.WAITING:
            return Due("no_worker") if moment - conversation.state_since > waited else None
        case ChatState.STARTING:
            return Due("platform_error") if moment - conversation.state_since > waited else None
        case ChatState.OPEN if _silence(conversation, moment) > LOST:
            return Due("worker_lost")
        case ChatState.OPEN if standing.awaited_since is not None:
            limit = timedelta(seconds=rules.reply_seconds) + GRACE
            late = moment - standing.awaited_since > limit
            return _unanswered(conversation, moment) if late else None
        case ChatState.OPEN | ChatState.RATING:
            return Due("idle") if moment - conversation.active_at > idle else None
    return None


def enforce(session: Session, standing: Standing) -> Due | None:
    """End the conversation if it is overdue; returns why."""
    found = due(standing, moment=now(session))
    if found is not None:
        moves.end(session, standing.conversation, found.code, detail=found.detail)
    return found


def _unanswered(conversation: Conversation, moment: datetime) -> Due:
    if _silence(conversation, moment) > SILENCE:
        return Due("worker_lost")
    return Due("model_error", "late")


def _silence(conversation: Conversation, moment: datetime) -> timedelta:
    """How long nothing was heard of the worker that holds it."""
    return moment - (conversation.heartbeat_at or conversation.state_since)


def _awaited(session: Session, ids: Sequence[int]) -> dict[int, datetime]:
    """Since when a reply is awaited, where one is: the last turn is the rater's.

    Asked once the conversations are locked, so that no reply can come in between.
    """
    if not ids:
        return {}
    latest = aliased(ChatTurn)
    last = (
        select(func.max(latest.number))
        .where(latest.conversation_id == ChatTurn.conversation_id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(ChatTurn.conversation_id, ChatTurn.at).where(
            ChatTurn.conversation_id.in_(ids),
            ChatTurn.speaker == Speaker.RATER,
            ChatTurn.number == last,
        )
    )
    return {row.conversation_id: row.at for row in rows}
