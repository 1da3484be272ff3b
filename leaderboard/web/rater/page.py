"""What a rater's page shows of a conversation, decided before HTML; the page and its JSON agree."""

from dataclasses import asdict, dataclass
from typing import Any

from leaderboard.human.stages import ChatState, Speaker
from leaderboard.human.talk import TalkView
from leaderboard.shown import speech

TALKING = frozenset({ChatState.WAITING, ChatState.STARTING, ChatState.OPEN})
"""The states in which the page is a chat."""

MAX_REPLY = 4_000
"""Characters of a turn that are shown."""

WHO = {Speaker.RATER.value: "You", Speaker.PARTNER.value: "Partner"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, its text harmless to show."""

    number: int
    speaker: str
    text: str

    @property
    def who(self) -> str:
        """The speaker for people."""
        return WHO[self.speaker]


@dataclass(frozen=True, slots=True)
class Standing:
    """What moves on a chat's page. `holds` says that the asking tab may write.

    `line` says whose turn it is, `progress` how far the conversation is, `finish` when it may end.
    """

    version: int
    state: str
    holds: bool
    awaits: bool
    may_write: bool
    may_close: bool
    line: str
    progress: str
    finish: str


def standing(view: TalkView) -> Standing:
    """Where the conversation stands, in words for its rater."""
    return Standing(
        version=view.version,
        state=view.state.value,
        holds=view.holds,
        awaits=view.awaits_reply,
        may_write=view.may_write,
        may_close=view.may_close,
        line=view.sentence,
        progress=_progress(view),
        finish=_finish(view),
    )


def turns(view: TalkView, *, after: int = -1) -> tuple[Turn, ...]:
    """The turns whose number is above `after`."""
    return tuple(
        Turn(turn.number, turn.speaker, speech(turn.text, limit=MAX_REPLY))
        for turn in view.turns
        if turn.number > after
    )


def document(view: TalkView, *, have: int) -> dict[str, Any]:  # Any: a JSON object
    """The standing, and the turns that a page which has those up to `have` lacks."""
    return {**asdict(standing(view)), "turns": [asdict(turn) for turn in turns(view, after=have)]}


def waits(view: TalkView) -> bool:
    """Whether something comes without the rater's doing: a partner, or a reply."""
    return view.state in (ChatState.WAITING, ChatState.STARTING) or (
        view.state is ChatState.OPEN and view.awaits_reply
    )


def slow_line(view: TalkView) -> str:
    """What the page says while a reply takes long."""
    seconds = view.protocol.reply_seconds
    return (
        f"Your partner is taking long. If no reply comes within {seconds} seconds, this "
        "conversation ends by itself; that is not your fault, and you can start another one."
    )


def _progress(view: TalkView) -> str:
    done, least = view.answered, view.protocol.minimum_turns
    if done < least:
        return f"{done} of at least {_turns(least)}"
    return f"{_turns(done)}, at most {view.protocol.maximum_turns}"


def _finish(view: TalkView) -> str:
    """Why the conversation cannot be closed yet; it goes on from the progress."""
    if view.may_close:
        return ""
    if view.answered < view.protocol.minimum_turns:
        return "before you can close it"
    return "– you can close it when the reply is here"


def _turns(count: int) -> str:
    return f"{count} {'turn' if count == 1 else 'turns'}"
