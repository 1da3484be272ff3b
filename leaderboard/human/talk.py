"""A rater's side of a conversation: look, write, close, leave, judge.

Every function asks first whose conversation it is, ends it if a deadline has passed, and then
changes it in one transaction. Each refusal is one calm sentence for the rater.
"""

import re
import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from harness.errors import UsageError
from leaderboard.db.engine import Database, now
from leaderboard.db.people import ChatTurn, Conversation
from leaderboard.human import deadlines, judgements, moves, scene
from leaderboard.human.scene import Choice, Scene, TalkView, TurnView
from leaderboard.human.stages import CHAT_STAGES, ChatState, Speaker

__all__ = [
    "Choice",
    "TalkView",
    "TurnView",
    "close",
    "judge_enjoyment",
    "judge_persona",
    "leave",
    "new_tab",
    "say",
    "versions",
    "view",
]

_ID: Final = re.compile(r"[0-9a-f]{4,32}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]+")


def new_tab() -> str:
    """An id for a browser tab."""
    return secrets.token_hex(8)


def expect_id(text: object, *, name: str) -> str:
    """A drawn id of the page; `UsageError` (`bad_answer`) for anything else."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise UsageError(
            f"The page has sent no valid {name}.",
            code="bad_answer",
            hint="Load the page again; what you wrote before is kept.",
        )
    return text


def view(db: Database, rater_id: int, conversation_id: int, *, tab: str | None) -> TalkView:
    """The conversation as this tab may show it; one that is overdue is ended first."""
    with db.read() as session:
        found = scene.read(session, rater_id, conversation_id)
        if deadlines.due(found.standing, moment=now(session)) is None:
            return scene.view_of(found, tab=tab)
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        deadlines.enforce(session, found.standing)
        return scene.view_of(found, tab=tab)


def versions(db: Database, ids: Collection[int]) -> dict[int, int]:
    """The versions of these conversations; one query, for the long poll."""
    if not ids:
        return {}
    with db.read() as session:
        rows = session.execute(
            select(Conversation.id, Conversation.version).where(Conversation.id.in_(ids))
        )
        return {row.id: row.version for row in rows}


def say(
    db: Database, rater_id: int, conversation_id: int, *, tab: str, client_id: str, text: str
) -> TalkView:
    """Store one turn of the rater's.

    The same `client_id` again changes nothing and returns the view: a page may send until it has
    an answer. `UsageError` codes: `bad_answer`, `other_tab`, `chat_over`, `not_your_turn`,
    `empty_text`, `too_long`.
    """
    _settle(db, rater_id, conversation_id)
    expect_id(client_id, name="message id")
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        if any(turn.client_id == client_id for turn in found.turns):
            return scene.view_of(found, tab=tab)
        _expect_tab(found, tab)
        _expect_turn(found)
        turn = ChatTurn(
            conversation_id=found.conversation.id,
            number=len(found.turns),
            speaker=Speaker.RATER,
            text=_clean(text, limit=found.protocol.text_limit),
            at=now(session),
            client_id=client_id,
        )
        session.add(turn)
        moves.touch(session, found.conversation, active_at=now(session))
        return scene.view_of(replace(found, turns=[*found.turns, turn]), tab=tab)


def close(db: Database, rater_id: int, conversation_id: int, *, tab: str) -> TalkView:
    """End the chat and go on to the questions; closing twice changes nothing.

    `UsageError` codes: `other_tab`, `chat_over`, `too_early` (says how many turns are missing).
    """
    _settle(db, rater_id, conversation_id)
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        if found.conversation.state is ChatState.RATING:
            return scene.view_of(found, tab=tab)
        _expect_tab(found, tab)
        _expect_closable(found)
        moves.move(session, found.conversation, ChatState.RATING, active_at=now(session))
        return scene.view_of(found, tab=tab)


def leave(db: Database, rater_id: int, conversation_id: int, *, tab: str) -> TalkView:
    """End the conversation for good, at any time; leaving twice changes nothing.

    An enjoyment answer that is stored stays and counts. `UsageError` (`other_tab`).
    """
    _settle(db, rater_id, conversation_id)
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        if not CHAT_STAGES[found.conversation.state].final:
            _expect_tab(found, tab)
            moves.end(session, found.conversation, "left")
        return scene.view_of(found, tab=tab)


def judge_enjoyment(db: Database, rater_id: int, conversation_id: int, *, value: int) -> TalkView:
    """Store the first answer, 1 to 4, at once; from any tab.

    `UsageError` codes: `bad_answer`, `too_early`, `chat_over`, `already_answered`: the first
    answer stays.
    """
    _settle(db, rater_id, conversation_id)
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        stored = judgements.store_enjoyment(session, found, value)
        return scene.view_of(replace(found, judgement=stored), tab=found.conversation.tab)


def judge_persona(db: Database, rater_id: int, conversation_id: int, *, choice: str) -> TalkView:
    """Store the second answer, one of the two ids shown; the conversation is rated then.

    `UsageError` codes as in `judge_enjoyment`; `too_early` before the first answer.
    """
    _settle(db, rater_id, conversation_id)
    with db.write() as session:
        found = scene.read(session, rater_id, conversation_id, change=True)
        judgements.store_persona(session, found, choice)
        return scene.view_of(found, tab=found.conversation.tab)


def _settle(db: Database, rater_id: int, conversation_id: int) -> None:
    """End the conversation if it is overdue, in a transaction of its own that stays."""
    view(db, rater_id, conversation_id, tab=None)


def _expect_tab(found: Scene, tab: str) -> None:
    if not found.is_held_by(tab):
        raise UsageError(
            "This conversation goes on in another tab or window.",
            code="other_tab",
            hint="Write there, or open your invitation link here to go on in this one.",
        )


def _expect_turn(found: Scene) -> None:
    state = found.conversation.state
    if state in (ChatState.WAITING, ChatState.STARTING):
        raise UsageError(
            "Your partner is not here yet.", code="not_your_turn", hint="It will not be long."
        )
    if state is not ChatState.OPEN:
        raise scene.over(found.conversation)
    if found.awaits_reply:
        raise UsageError(
            "Your partner has not replied yet.",
            code="not_your_turn",
            hint="Wait for the reply, then write on.",
        )
    most = found.protocol.maximum_turns
    if found.written >= most:
        raise UsageError(
            f"You have written all {most} turns of this conversation.",
            code="not_your_turn",
            hint="Close it now to answer two questions.",
        )


def _expect_closable(found: Scene) -> None:
    state = found.conversation.state
    if CHAT_STAGES[state].final:
        raise scene.over(found.conversation)
    missing = found.protocol.minimum_turns - found.answered
    if state is not ChatState.OPEN or missing > 0:
        turns = "1 answered turn is" if missing == 1 else f"{missing} answered turns are"
        raise UsageError(
            f"{turns} still missing before you can close the conversation.",
            code="too_early",
            hint="Write on for a little while, or leave the conversation.",
        )
    if found.awaits_reply:
        raise UsageError(
            "Your partner has not replied to your last turn yet.",
            code="too_early",
            hint="Wait for the reply, then close the conversation.",
        )


def _clean(text: object, *, limit: int) -> str:
    if not isinstance(text, str):
        raise _nothing()
    line = _CONTROL.sub(" ", _SURROGATE.sub("", text)).strip()
    if not any(character.isprintable() and not character.isspace() for character in line):
        raise _nothing()
    if len(line) > limit:
        raise UsageError(
            f"Your text has {len(line)} characters; at most {limit} fit in one turn.",
            code="too_long",
            hint="Shorten it a little and send it again.",
        )
    return line


def _nothing() -> UsageError:
    return UsageError(
        "There is nothing to send yet.", code="empty_text", hint="Write something first."
    )
