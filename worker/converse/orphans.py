"""Which cells of chats nobody needs: a container outlives a worker that was killed."""

from collections.abc import Mapping

from harness.errors import UsageError
from leaderboard import conversations, ledger
from worker.house import chat_house
from worker.sandbox import Over


def is_over(db: ledger.Database) -> Over:
    """Whether a cell's labels name a chat of this installation that needs no cell any more.

    True also where a later lease holds the chat. Cells of anything else are left alone.
    """

    def over(labels: Mapping[str, str]) -> bool:
        chat, fence = (labels.get(f"rostrum.{key}", "") for key in ("conversation", "fence"))
        if not (chat.isdecimal() and fence.isdecimal()):
            return False
        if not _is_of_this_house(db, labels):
            return False
        return int(chat) in conversations.look(db, {int(chat): int(fence)}).ended

    return over


def _is_of_this_house(db: ledger.Database, labels: Mapping[str, str]) -> bool:
    try:
        ours = chat_house(db, labels.get("rostrum.competition", ""))
    except UsageError:  # a competition of another installation
        return False
    return labels.get("rostrum.house") == ours
