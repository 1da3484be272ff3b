"""The worker's poll: which conversations wait, which have a question, which are over.

It runs some twenty times a second, so it is one short read transaction over indexed columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from leaderboard.db.engine import Database, now
from leaderboard.db.people import ChatTurn, Conversation, Lock
from leaderboard.human.deadlines import protocol_of
from leaderboard.human.stages import CHAT_STAGES, ChatState


@dataclass(frozen=True, slots=True)
class Question:
    """A reply that is wanted now: its number, all that was said, and how long it may take.

    `turns` are (`rater` or `partner`, text); `seconds_left` may be negative.
    """

    conversation_id: int
    number: int
    turns: tuple[tuple[str, str], ...]
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a worker finds: who waits, who has a question, and which of its chats are over."""

    waiting: tuple[int, ...] = ()
    questions: tuple[Question, ...] = ()
    ended: frozenset[int] = frozenset()


def waits() -> ColumnElement[bool]:
    """The condition of a conversation that a worker may take; its lock is joined."""
    return and_(
        Conversation.state == ChatState.WAITING,
        Lock.opened_at.is_not(None),
        Lock.closed_at.is_(None),
    )


def waiting(db: Database) -> list[int]:
    """The conversations that wait for a worker, the oldest first."""
    with db.read() as session:
        chosen = (
            select(Conversation.id)
            .join(Lock, Lock.competition_id == Conversation.competition_id)
            .where(waits())
            .order_by(Conversation.id)
        )
        return list(session.scalars(chosen))


def look(db: Database, held: Mapping[int, int]) -> Look:
    """What is to do now; `held` maps the worker's conversations to their fences.

    One read transaction of one statement, two and the clock while a reply is awaited.
    """
    last = (
        select(func.max(ChatTurn.number))
        .where(ChatTurn.conversation_id == Conversation.id)
        .correlate(Conversation)
        .scalar_subquery()
    )
    with db.read() as session:
        rows = session.execute(
            select(Conversation.id, Conversation.state, Conversation.fence, Lock.protocol, last)
            .join(Lock, Lock.competition_id == Conversation.competition_id)
            .where(or_(waits(), Conversation.id.in_(held)))
            .order_by(Conversation.id)
        ).all()
        ours = {row.id: row for row in rows if held.get(row.id) == row.fence}
        live = {number for number, row in ours.items() if CHAT_STAGES[row.state].leased}
        asked = {
            number: protocol_of(ours[number].protocol).reply_seconds
            for number in sorted(live)
            if ours[number].state is ChatState.OPEN and _is_asked(ours[number][-1])
        }
        return Look(
            waiting=tuple(row.id for row in rows if row.state is ChatState.WAITING),
            questions=tuple(_questions(session, asked)) if asked else (),
            ended=frozenset(held.keys() - live),
        )


def _is_asked(last: int | None) -> bool:
    """Whether the turn of this number waits for a reply: the rater's turns are even."""
    return last is not None and last % 2 == 0


def _questions(session: Session, asked: Mapping[int, int]) -> Iterable[Question]:
    """The questions of these conversations; `asked` maps each to its seconds for a reply."""
    said: dict[int, list[tuple[str, str]]] = {number: [] for number in asked}
    since: dict[int, datetime] = {}
    for number, speaker, text, at in session.execute(
        select(ChatTurn.conversation_id, ChatTurn.speaker, ChatTurn.text, ChatTurn.at)
        .where(ChatTurn.conversation_id.in_(asked))
        .order_by(ChatTurn.conversation_id, ChatTurn.number)
    ):
        said[number].append((speaker.value, text))
        since[number] = at
    moment = now(session)
    for number, turns in said.items():
        left = asked[number] - (moment - since[number]).total_seconds()
        yield Question(number, len(turns), tuple(turns), left)
