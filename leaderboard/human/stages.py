"""The life of a conversation, as a table, and the reasons for which one is void.

    waiting -> starting -> open -> rating -> rated
        any of these -> void; a lost worker leads from starting back to waiting, once

Only `leaderboard.human.moves` moves a conversation: compare-and-swap on state and fence. A void
conversation has no rating, counts for nothing but `served`, and gives its task back.
"""

from dataclasses import dataclass
from enum import StrEnum


class ChatState(StrEnum):
    """Where a conversation stands."""

    WAITING = "waiting"
    STARTING = "starting"
    OPEN = "open"
    RATING = "rating"
    RATED = "rated"
    VOID = "void"


class Speaker(StrEnum):
    """Who wrote a turn."""

    RATER = "rater"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class ChatStage:
    """What a state means and what may follow.

    `sentence` is for the rater. `leased` says that a worker holds the conversation and must send
    heartbeats. `limit` is the name of the protocol's number of seconds after which an idle stay
    ends, or None.
    """

    state: ChatState
    sentence: str
    next: frozenset[ChatState]
    leased: bool = False
    limit: str | None = None
    final: bool = False


_VOID = frozenset({ChatState.VOID})

CHAT_STAGES: dict[ChatState, ChatStage] = {
    stage.state: stage
    for stage in (
        ChatStage(
            ChatState.WAITING,
            "Your partner is being called.",
            _VOID | {ChatState.STARTING},
            limit="wait_seconds",
        ),
        ChatStage(
            ChatState.STARTING,
            "Your partner is getting ready.",
            _VOID | {ChatState.OPEN, ChatState.WAITING},
            leased=True,
            limit="wait_seconds",
        ),
        ChatStage(
            ChatState.OPEN,
            "Your partner is here.",
            _VOID | {ChatState.RATING},
            leased=True,
            limit="idle_seconds",
        ),
        ChatStage(
            ChatState.RATING,
            "The conversation is over; two questions are left.",
            _VOID | {ChatState.RATED},
            limit="idle_seconds",
        ),
        ChatStage(ChatState.RATED, "Thank you, your answers are stored.", frozenset(), final=True),
        ChatStage(ChatState.VOID, "This conversation has ended early.", frozenset(), final=True),
    )
}

MAX_CHAT_LOSSES = 2
"""How often a conversation that has not begun may lose its worker before it is void."""


class Blame(StrEnum):
    """Whose doing a void conversation is."""

    MODEL = "model"
    PLATFORM = "platform"
    RATER = "rater"
    ORGANIZER = "organizer"


@dataclass(frozen=True, slots=True)
class VoidReason:
    """Why a conversation is void. `sentence` is for the rater, calm and without a name in it."""

    code: str
    blame: Blame
    sentence: str
    meaning: str


_NOT_YOURS = "This is not your fault, and there is nothing to rate. What you wrote is kept."

VOID_REASONS: dict[str, VoidReason] = {
    reason.code: reason
    for reason in (
        VoidReason(
            "model_error",
            Blame.MODEL,
            f"Your partner has stopped answering. {_NOT_YOURS}",
            "The agent gave no valid reply before its deadline, or its program ended.",
        ),
        VoidReason(
            "platform_error",
            Blame.PLATFORM,
            f"The connection to your partner was lost. {_NOT_YOURS}",
            "The sandbox could not be started or was lost, by no doing of the agent.",
        ),
        VoidReason(
            "worker_lost",
            Blame.PLATFORM,
            f"The connection to your partner was lost. {_NOT_YOURS}",
            "The worker that held the container was stopped or fell silent.",
        ),
        VoidReason(
            "no_worker",
            Blame.PLATFORM,
            "No partner is free at the moment. This is not your fault; try again in a few minutes.",
            "No worker took the conversation before `wait_seconds` were over.",
        ),
        VoidReason(
            "idle",
            Blame.RATER,
            "This conversation has ended because nothing was written for a while. What you wrote "
            "is kept, and there is nothing to rate.",
            "The rater wrote or answered nothing for `idle_seconds`.",
        ),
        VoidReason(
            "left",
            Blame.RATER,
            "You have left this conversation. What you wrote is kept; there is nothing to rate.",
            "The rater left before the end.",
        ),
        VoidReason(
            "revoked",
            Blame.ORGANIZER,
            "The organizers have withdrawn this invitation, so the conversation has ended. Thank "
            "you for what you did.",
            "The rater's invitation was revoked.",
        ),
        VoidReason(
            "closed",
            Blame.ORGANIZER,
            "The human evaluation has been closed, so the conversation has ended. Thank you for "
            "what you did.",
            "The organizers closed the human evaluation.",
        ),
        VoidReason(
            "withheld",
            Blame.ORGANIZER,
            "The organizers have taken your partner out of the competition, so the conversation "
            "has ended. There is nothing to rate.",
            "The finalist's score was withheld during the conversation.",
        ),
    )
}
"""Every reason, by code."""

MODEL_DETAILS = frozenset(
    {"late", "crashed", "early_exit", "protocol", "invalid_prediction", "load", "out_of_memory"}
)
"""What a `model_error` may be told apart by; a closed list that we wrote."""


def may_chat_move(source: ChatState, target: ChatState) -> bool:
    """Whether the table has an arrow from `source` to `target`."""
    return target in CHAT_STAGES[source].next
