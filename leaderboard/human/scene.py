"""What the rater's page may know of a conversation: one snapshot, and the view made of it.

Nothing of the partner but its replies leaves this module before the enjoyment answer is stored;
after it, two personas in drawn order under drawn ids. Which one was right never leaves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.people import ChatTurn, Conversation, Judgement, Lock
from leaderboard.human.deadlines import Standing, protocol_of
from leaderboard.human.protocol import Protocol
from leaderboard.human.stages import CHAT_STAGES, VOID_REASONS, ChatState


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn as the page shows it; `speaker` is `rater` or `partner`."""

    number: int
    speaker: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to the persona question; the id says nothing."""

    id: str
    persona: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TalkView:
    """One conversation for its rater.

    `answered` counts the partner's replies. `holds` says that the asking tab is the one that may
    write; `may_write` and `may_close` are false in any other. `choices` stay empty until the
    enjoyment answer is stored, and are gone once the persona question is answered.
    """

    id: int
    state: ChatState
    version: int
    sentence: str
    turns: tuple[TurnView, ...]
    rater_persona: tuple[str, ...]
    protocol: Protocol
    answered: int
    may_write: bool
    may_close: bool
    awaits_reply: bool
    holds: bool
    void_code: str | None
    enjoyment: int | None
    choices: tuple[Choice, ...]
    persona_answered: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """The rows of one conversation, read in one transaction."""

    conversation: Conversation
    protocol: Protocol
    judgement: Judgement | None
    turns: Sequence[ChatTurn]

    @property
    def awaits_reply(self) -> bool:
        """Whether the partner is to speak; the rater begins."""
        return len(self.turns) % 2 == 1

    @property
    def answered(self) -> int:
        """How many replies the partner has given."""
        return len(self.turns) // 2

    @property
    def written(self) -> int:
        """How many turns the rater has written."""
        return len(self.turns) - self.answered

    @property
    def standing(self) -> Standing:
        """What the deadlines need to know."""
        since = self.turns[-1].at if self.awaits_reply else None
        return Standing(self.conversation, self.protocol, since)

    def is_held_by(self, tab: str | None) -> bool:
        """Whether this browser tab is the one that may write."""
        return tab is not None and tab == self.conversation.tab


def read(session: Session, rater_id: int, conversation_id: int, *, change: bool = False) -> Scene:
    """The conversation of this rater, with `change` locked until the transaction ends.

    `UsageError` (`not_your_conversation`) for somebody else's, and for one that does not exist.
    """
    chosen = (
        select(Conversation, Lock.protocol)
        .join(Lock, Lock.competition_id == Conversation.competition_id)
        .where(Conversation.id == conversation_id, Conversation.rater_id == rater_id)
    )
    if change:
        chosen = chosen.with_for_update(of=Conversation)
    row = session.execute(chosen).one_or_none()
    if row is None:
        raise UsageError(
            "This conversation is not one of yours.",
            code="not_your_conversation",
            hint="Go back to the page of your invitation link.",
        )
    conversation, text = row
    # statements of their own: what they find is not older than the lock on the conversation
    asked = conversation.state in (ChatState.RATING, ChatState.RATED)
    judgement = session.get(Judgement, conversation_id) if asked else None
    turns = session.scalars(
        select(ChatTurn)
        .where(ChatTurn.conversation_id == conversation_id)
        .order_by(ChatTurn.number)
    ).all()
    return Scene(conversation, protocol_of(text), judgement, turns)


def view_of(scene: Scene, *, tab: str | None) -> TalkView:
    """What the page of this tab may show."""
    conversation, holds = scene.conversation, scene.is_held_by(tab)
    enjoyment = scene.judgement.enjoyment if scene.judgement else None
    is_open = conversation.state is ChatState.OPEN
    awaits = is_open and scene.awaits_reply
    free = is_open and holds and not awaits
    return TalkView(
        id=conversation.id,
        state=conversation.state,
        version=conversation.version,
        sentence=_sentence(scene, enjoyment),
        turns=tuple(TurnView(t.number, t.speaker.value, t.text, t.at) for t in scene.turns),
        rater_persona=tuple(conversation.rater_persona),
        protocol=scene.protocol,
        answered=scene.answered,
        may_write=free and scene.written < scene.protocol.maximum_turns,
        may_close=free and scene.answered >= scene.protocol.minimum_turns,
        awaits_reply=awaits,
        holds=holds,
        void_code=conversation.void_code,
        enjoyment=enjoyment,
        choices=_choices(conversation, enjoyment),
        persona_answered=bool(scene.judgement and scene.judgement.choice is not None),
    )


def over(conversation: Conversation) -> UsageError:
    """The error of a conversation that has ended, with the reason where it ended early."""
    reason = VOID_REASONS.get(conversation.void_code or "")
    sentence = reason.sentence if reason else CHAT_STAGES[conversation.state].sentence
    return UsageError(
        sentence, code="chat_over", hint="Your invitation link leads to what is next."
    )


def _choices(conversation: Conversation, enjoyment: int | None) -> tuple[Choice, ...]:
    if conversation.state is not ChatState.RATING or enjoyment is None:
        return ()
    shown = [tuple(conversation.partner_persona), tuple(conversation.distractor)]
    if not conversation.partner_first:
        shown.reverse()
    return tuple(
        Choice(name, persona) for name, persona in zip(conversation.choices, shown, strict=True)
    )


def _sentence(scene: Scene, enjoyment: int | None) -> str:
    conversation = scene.conversation
    if conversation.state is ChatState.VOID:
        reason = VOID_REASONS.get(conversation.void_code or "")
        return reason.sentence if reason else CHAT_STAGES[ChatState.VOID].sentence
    if conversation.state is ChatState.RATING and enjoyment is not None:
        return "Your answer is stored; one question is left."
    if conversation.state is ChatState.OPEN:
        return _open_sentence(scene)
    return CHAT_STAGES[conversation.state].sentence


def _open_sentence(scene: Scene) -> str:
    if scene.awaits_reply:
        return "Waiting for your partner's reply."
    if not scene.turns:
        return "Your partner is here and listens; you write first."
    if scene.written >= scene.protocol.maximum_turns:
        return "You have written all your turns; close the conversation to answer two questions."
    missing = scene.protocol.minimum_turns - scene.answered
    if missing > 0:
        return f"It is your turn; {_turns(missing)} to go before you can close the conversation."
    return "It is your turn; write on, or close the conversation to answer two questions."


def _turns(count: int) -> str:
    return "1 more turn" if count == 1 else f"{count} more turns"
