"""The two answers of a rater, stored one by one: first how it was, then whom it was with.

Missing is NULL. The first answer that came stays; nothing tells the rater which persona was right.
"""

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import now
from leaderboard.db.people import Conversation, Judgement
from leaderboard.human import moves
from leaderboard.human.protocol import SCALE
from leaderboard.human.scene import Scene, over
from leaderboard.human.stages import CHAT_STAGES, ChatState


def store_enjoyment(session: Session, found: Scene, value: object) -> Judgement:
    """Store the first answer; the scene was read for a change."""
    _expect_questions(found, answered=_enjoyment(found) is not None)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= SCALE:
        raise UsageError(
            f"Choose one of the {SCALE} answers.",
            code="bad_answer",
            hint="Nothing was stored; choose one and send it again.",
        )
    moment = now(session)
    stored = Judgement(conversation_id=found.conversation.id, enjoyment=value, enjoyment_at=moment)
    session.add(stored)
    moves.touch(session, found.conversation, active_at=moment)
    return stored


def store_persona(session: Session, found: Scene, choice: object) -> None:
    """Store the second answer and end the conversation; the scene was read for a change."""
    conversation = found.conversation
    _expect_questions(found, answered=_choice(found) is not None)
    if _enjoyment(found) is None:
        raise UsageError(
            "The first question comes first.",
            code="too_early",
            hint="Answer how much you enjoyed the conversation, then this one.",
        )
    if not isinstance(choice, str) or choice not in conversation.choices:
        raise UsageError(
            "Choose one of the two persons.",
            code="bad_answer",
            hint="Nothing was stored; choose one and send it again.",
        )
    stored = session.execute(
        update(Judgement)
        .where(Judgement.conversation_id == conversation.id, Judgement.choice.is_(None))
        .values(choice=choice, detected=_is_partner(conversation, choice), detected_at=now(session))
        .execution_options(synchronize_session=False)
    )
    assert isinstance(stored, CursorResult)
    if stored.rowcount != 1:
        raise _answered()
    session.refresh(found.judgement)
    moves.move(session, conversation, ChatState.RATED)


def _expect_questions(found: Scene, *, answered: bool) -> None:
    if answered:
        raise _answered()
    state = found.conversation.state
    if CHAT_STAGES[state].final:
        raise over(found.conversation)
    if state is not ChatState.RATING:
        raise UsageError(
            "The questions come after the conversation.",
            code="too_early",
            hint="Close the conversation first.",
        )


def _enjoyment(found: Scene) -> int | None:
    return found.judgement.enjoyment if found.judgement else None


def _choice(found: Scene) -> str | None:
    return found.judgement.choice if found.judgement else None


def _is_partner(conversation: Conversation, choice: str) -> bool:
    return (conversation.choices.index(choice) == 0) == conversation.partner_first


def _answered() -> UsageError:
    return UsageError(
        "This answer is stored already, and the first one stays.",
        code="already_answered",
        hint="Load the page to see what is next.",
    )
