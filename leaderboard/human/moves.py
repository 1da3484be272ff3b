"""The only mover of conversations: compare-and-swap on state and fence, in the caller's session.

Each change that the rater's page may show adds one to `version`, which the page's long poll waits
for. A stored enjoyment answer is never lost: `end` ends such a conversation as rated, all others
as void.
"""

from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.orm import Session

from leaderboard.db.engine import now
from leaderboard.db.people import Conversation, Finalist, Judgement
from leaderboard.human.stages import (
    CHAT_STAGES,
    MAX_CHAT_LOSSES,
    MODEL_DETAILS,
    VOID_REASONS,
    ChatState,
    may_chat_move,
)
from leaderboard.transitions import Lost

__all__ = [
    "UNFINISHED",
    "Changes",
    "Lost",
    "back",
    "end",
    "lose",
    "move",
    "touch",
    "void",
    "void_all",
    "void_of_attempt",
    "void_of_rater",
]

UNFINISHED = tuple(state for state, stage in CHAT_STAGES.items() if not stage.final)


class Changes(TypedDict, total=False):
    """The columns that may change together with the state."""

    active_at: datetime
    fence: int
    heartbeat_at: datetime | None
    losses: int
    opened_at: datetime
    tab: str
    void_code: str
    void_detail: str | None
    worker: str | None


def move(
    session: Session, conversation: Conversation, target: ChatState, **changes: Unpack[Changes]
) -> None:
    """Move `conversation` from the state and fence it was read with to `target`.

    A state that nobody leases releases the worker; a final one sets `ended_at`. `ValueError` if
    the table of states has no such arrow; `Lost` if the row has changed since.
    """
    if not may_chat_move(conversation.state, target):
        raise ValueError(f"a conversation cannot go from {conversation.state} to {target}")
    stage, moment = CHAT_STAGES[target], now(session)
    values: dict[str, Any] = {"state": target, "state_since": moment}  # Any: values of columns
    if not stage.leased:
        values |= {"worker": None, "heartbeat_at": None}
    if stage.final:
        values["ended_at"] = moment
    _swap(session, conversation, **(values | changes))


def touch(session: Session, conversation: Conversation, **changes: Unpack[Changes]) -> None:
    """Say that the page has something new to show; `Lost` as in `move`."""
    _swap(session, conversation, **changes)


def back(session: Session, conversation: Conversation, *, losses: int) -> None:
    """Send a conversation that has not begun back to wait for another worker."""
    move(session, conversation, ChatState.WAITING, fence=conversation.fence + 1, losses=losses)


def lose(session: Session, conversation: Conversation, code: str) -> None:
    """Take a leased conversation from its worker: back to wait if it has not begun, else void.

    It goes back fewer than `MAX_CHAT_LOSSES` times; then it is void because of `code`.
    """
    losses = conversation.losses + 1
    if conversation.state is ChatState.STARTING and losses < MAX_CHAT_LOSSES:
        back(session, conversation, losses=losses)
    else:
        void(session, conversation, code)


def void(
    session: Session, conversation: Conversation, code: str, *, detail: str | None = None
) -> bool:
    """End a conversation without a rating, for a reason of `VOID_REASONS`.

    Harmless to repeat: a conversation that is final already stays as it is, and False comes back.
    """
    if code not in VOID_REASONS or (detail is not None and detail not in MODEL_DETAILS):
        raise ValueError(f"there is no reason {code!r} with the detail {detail!r}")
    session.refresh(conversation, with_for_update=True)
    if CHAT_STAGES[conversation.state].final:
        return False
    move(session, conversation, ChatState.VOID, void_code=code, void_detail=detail)
    return True


def end(
    session: Session, conversation: Conversation, code: str, *, detail: str | None = None
) -> bool:
    """End a conversation early: rated where the enjoyment answer is stored, void otherwise.

    False if it was final already.
    """
    session.refresh(conversation, with_for_update=True)
    if conversation.state is ChatState.RATING and _is_judged(session, conversation.id):
        move(session, conversation, ChatState.RATED)
        return True
    return void(session, conversation, code, detail=detail)


def void_of_rater(session: Session, rater_id: int, code: str) -> tuple[int, ...]:
    """End what a rater has not finished; the ids of what was ended (see `end`)."""
    return _end_each(session, code, where=Conversation.rater_id == rater_id)


def void_all(session: Session, competition_id: str, code: str) -> tuple[int, ...]:
    """End all unfinished conversations of a competition; their ids (see `end`)."""
    return _end_each(session, code, where=Conversation.competition_id == competition_id)


def void_of_attempt(session: Session, attempt_id: int, code: str) -> tuple[int, ...]:
    """End all unfinished conversations with a finalist, by its attempt; their ids (see `end`)."""
    finalist = select(Finalist.id).where(Finalist.attempt_id == attempt_id)
    return _end_each(session, code, where=Conversation.finalist_id.in_(finalist))


def _end_each(session: Session, code: str, *, where: ColumnElement[bool]) -> tuple[int, ...]:
    found = session.scalars(
        select(Conversation)
        .where(Conversation.state.in_(UNFINISHED), where)
        .order_by(Conversation.id)
        .with_for_update()
    ).all()
    return tuple(each.id for each in found if end(session, each, code))


def _is_judged(session: Session, conversation_id: int) -> bool:
    chosen = select(Judgement.enjoyment).where(Judgement.conversation_id == conversation_id)
    return session.scalar(chosen) is not None


def _swap(session: Session, conversation: Conversation, **values: Any) -> None:  # Any: as above
    source, fence = conversation.state, conversation.fence
    swapped = session.execute(
        update(Conversation)
        .where(
            Conversation.id == conversation.id,
            Conversation.state == source,
            Conversation.fence == fence,
        )
        .values(version=Conversation.version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(swapped, CursorResult)
    if swapped.rowcount != 1:
        raise Lost(f"conversation {conversation.id} is no longer {source} with fence {fence}")
    session.refresh(conversation)
