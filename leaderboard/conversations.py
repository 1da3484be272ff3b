"""The worker's door to the live chats: it leases them, answers their questions, ends its own part.

A worker *leases* a waiting conversation and gets a `Chat` with a *fence*. It polls with `look`,
stores each reply with `answer`, and says with `beat` that it is alive. Whatever ends a
conversation meanwhile (the rater, the organizer, a deadline) wins: the worker reads it in `look`.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from harness.agent import check_replies
from harness.errors import OperatorError, SubmissionError
from leaderboard.db.engine import Database, now, open_database
from leaderboard.db.models import Attempt, Submission
from leaderboard.db.people import ChatTurn, Conversation, Finalist
from leaderboard.human import deadlines, moves
from leaderboard.human.look import Look, Question, look, waiting, waits
from leaderboard.human.partners import Partner, partner_of, partners
from leaderboard.human.stages import CHAT_STAGES, MODEL_DETAILS, ChatState, Speaker
from leaderboard.human.sweep import LOST_CODE, ChatsSwept, sweep
from leaderboard.transitions import Lost

__all__ = [
    "Chat",
    "ChatsSwept",
    "Database",
    "Kept",
    "Look",
    "Lost",
    "Partner",
    "Question",
    "answer",
    "beat",
    "dropped",
    "fail",
    "kept",
    "lease",
    "look",
    "open_database",
    "opened",
    "partners",
    "sweep",
    "waiting",
]

_DETAILS: Mapping[str, str] = {
    "batch_timeout": "late",
    "total_timeout": "late",
    "load_timeout": "load",
}
"""What a verdict is called in a chat, where that is another word; see `MODEL_DETAILS`."""

_LEASED = tuple(state for state, stage in CHAT_STAGES.items() if stage.leased)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat(Partner):
    """One lease of one conversation: what was scored, and the persona that it now speaks with.

    `secret` is the HMAC key of the context ids of this conversation alone, 32 bytes.
    """

    id: int
    fence: int
    persona: tuple[str, ...]
    secret: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What belongs to a finalist of a locked competition and must stay on a worker's disk."""

    commits: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()


def lease(
    db: Database, conversation_id: int, *, worker: str, gpu: Collection[bool] = (False,)
) -> Chat | None:
    """Take a waiting conversation: waiting -> starting.

    None if it does not wait (any more), or may not begin: overdue, withheld, evaluation closed; or
    if its finalist's need of a GPU is not among `gpu`.
    """
    with db.write() as session:
        wanted = (Conversation.id == conversation_id) & waits()
        standing = next(iter(deadlines.standings(session, wanted)), None)
        if standing is None or deadlines.enforce(session, standing):
            return None
        conversation = standing.conversation
        if _is_withheld(session, conversation.finalist_id):
            moves.void(session, conversation, "withheld")
            return None
        partner, secret = partner_of(session, conversation.finalist_id)
        if partner.gpu not in gpu:
            return None
        moves.move(
            session,
            conversation,
            ChatState.STARTING,
            fence=conversation.fence + 1,
            worker=worker[:200],
            heartbeat_at=now(session),
        )
        return _chat(conversation, partner, secret)


def opened(db: Database, chat: Chat) -> None:
    """Say that the partner is there: starting -> open. `Lost` if the lease has ended."""
    with db.write() as session:
        conversation = _held(session, chat)
        if conversation is None or conversation.state is not ChatState.STARTING:
            raise _lost(chat)
        moment = now(session)
        moves.move(
            session,
            conversation,
            ChatState.OPEN,
            opened_at=moment,
            active_at=moment,
            heartbeat_at=moment,
        )


def beat(db: Database, held: Mapping[int, int]) -> None:
    """Say that the worker of these conversations is alive; those that are lost stay lost."""
    if not held:
        return
    with db.write() as session:
        session.execute(
            update(Conversation)
            .where(
                Conversation.state.in_(_LEASED),
                or_(
                    *(
                        and_(Conversation.id == number, Conversation.fence == fence)
                        for number, fence in held.items()
                    )
                ),
            )
            .values(heartbeat_at=now(session))
            .execution_options(synchronize_session=False)
        )


def answer(db: Database, chat: Chat, *, number: int, text: str) -> None:
    """Store the partner's reply; the same one again changes nothing.

    `Lost` if it is no longer wanted. A reply that is late, empty or not valid ends the chat as
    the model's fault (and raises `Lost` too): a partner that says nothing is not rated.
    """
    with db.write() as session:
        standing = next(iter(deadlines.standings(session, _is_held(chat))), None)
        if standing is None or standing.conversation.state is not ChatState.OPEN:
            raise _lost(chat)
        conversation = standing.conversation
        if deadlines.enforce(session, standing) is None:
            reply = _checked(text)
            if reply is None:
                moves.void(session, conversation, "model_error", detail="invalid_prediction")
            elif _is_wanted(session, chat.id, number=number, reply=reply):
                moment = now(session)
                session.add(
                    ChatTurn(
                        conversation_id=chat.id,
                        number=number,
                        speaker=Speaker.PARTNER,
                        text=reply,
                        at=moment,
                    )
                )
                moves.touch(session, conversation, active_at=moment, heartbeat_at=moment)
        ended = conversation.state is not ChatState.OPEN
    if ended:
        raise Lost(f"conversation {chat.id} has ended: {conversation.void_code}")


def fail(
    db: Database,
    chat: Chat,
    error: SubmissionError | OperatorError,
    *,
    detail: str | None = None,
) -> None:
    """End the lease by an error; nothing happens if it has ended already: the first reason wins.

    The model's fault voids the conversation, with `detail` (of `MODEL_DETAILS`) or what follows
    from the error. Ours sends one that has not begun back to wait, once.
    """
    with db.write() as session:
        conversation = _held(session, chat)
        if conversation is None:
            return
        if isinstance(error, SubmissionError):
            named = detail or _detail(error)
            moves.void(session, conversation, "model_error", detail=named)
        else:
            moves.lose(session, conversation, "platform_error")


def dropped(db: Database, chats: Iterable[Chat]) -> None:
    """The worker stops cleanly: what has not begun waits again, what has is void."""
    with db.write() as session:
        for chat in chats:
            conversation = _held(session, chat)
            if conversation is None:
                continue
            if conversation.state is ChatState.STARTING:
                moves.back(session, conversation, losses=conversation.losses)
            else:
                moves.void(session, conversation, LOST_CODE)


def kept(db: Database) -> Kept:
    """What the finalists that chat need; whoever cleans a worker's disk leaves it alone."""
    with db.read() as session:
        rows = session.execute(
            select(Submission.commit, Attempt.image, Attempt.environment)
            .join(Attempt, Attempt.submission_id == Submission.id)
            .join(Finalist, Finalist.attempt_id == Attempt.id)
            .where(Finalist.passed_over.is_(None))
        ).all()
    commits, images, environments = zip(*rows, strict=True) if rows else ((), (), ())
    return Kept(_named(commits), _named(images), _named(environments))


def _is_held(chat: Chat) -> ColumnElement[bool]:
    """The condition of a conversation that this lease holds."""
    return and_(
        Conversation.id == chat.id,
        Conversation.fence == chat.fence,
        Conversation.state.in_(_LEASED),
    )


def _held(session: Session, chat: Chat) -> Conversation | None:
    return session.scalar(select(Conversation).where(_is_held(chat)).with_for_update())


def _lost(chat: Chat) -> Lost:
    return Lost(f"the lease {chat.fence} of conversation {chat.id} has ended")


def _is_withheld(session: Session, finalist_id: int) -> bool:
    reason = session.scalar(
        select(Attempt.withheld)
        .join(Finalist, Finalist.attempt_id == Attempt.id)
        .where(Finalist.id == finalist_id)
    )
    return reason is not None


def _chat(conversation: Conversation, partner: Partner, secret: bytes) -> Chat:
    name = f"rostrum chat {conversation.id}".encode()
    return Chat(
        **asdict(partner),
        id=conversation.id,
        fence=conversation.fence,
        persona=tuple(conversation.partner_persona),
        secret=hmac.new(secret, name, hashlib.sha256).digest(),
    )


def _is_wanted(session: Session, conversation_id: int, *, number: int, reply: str) -> bool:
    """Whether this is the next turn; False for the same reply again, `Lost` for any other."""
    rows = session.execute(
        select(ChatTurn.number, ChatTurn.text).where(ChatTurn.conversation_id == conversation_id)
    )
    texts = {row.number: row.text for row in rows}
    if number % 2 == 1 and number == len(texts):
        return True
    if number % 2 == 1 and texts.get(number) == reply:
        return False
    raise Lost(f"conversation {conversation_id} wants no turn {number}")


def _checked(text: object) -> str | None:
    """The reply, cleaned as any other; None if it is not valid or has nothing to read."""
    try:
        (reply,) = check_replies([text], count=1)
    except SubmissionError:
        return None
    visible = any(sign.isprintable() and not sign.isspace() for sign in reply)
    return reply if visible else None


def _detail(error: SubmissionError) -> str:
    named = _DETAILS.get(error.code, error.code)
    return named if named in MODEL_DETAILS else "crashed"


def _named(values: Collection[str | None]) -> frozenset[str]:
    return frozenset(value for value in values if value)
