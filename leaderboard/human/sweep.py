"""The sweep of the conversations: nobody waits for ever, no task is held by somebody who is gone.

`rostrum beat` calls it beside the attempts' one. The rater's page finds most of this earlier.
"""

from dataclasses import dataclass
from datetime import datetime

from leaderboard import settings
from leaderboard.db.engine import Database, now
from leaderboard.db.people import Conversation
from leaderboard.human import deadlines, moves
from leaderboard.human.stages import CHAT_STAGES

LOST_CODE = "worker_lost"


@dataclass(frozen=True, slots=True)
class ChatsSwept:
    """What one sweep did, as conversation ids.

    `lost` were taken from a silent worker, `idle` ended because the rater was gone, `unserved`
    because no partner came or no reply did.
    """

    lost: tuple[int, ...] = ()
    idle: tuple[int, ...] = ()
    unserved: tuple[int, ...] = ()


def sweep(db: Database) -> ChatsSwept:
    """End or send back every conversation that is stuck; harmless to repeat."""
    lost: list[int] = []
    idle: list[int] = []
    unserved: list[int] = []
    silence = settings.lost_after()
    with db.write() as session:
        moment = now(session)
        unfinished = Conversation.state.in_(moves.UNFINISHED)
        for standing in deadlines.standings(session, unfinished, skip_locked=True):
            conversation = standing.conversation
            found = deadlines.due(standing, moment=moment)
            if found is None and _is_silent(conversation, moment - silence):
                moves.lose(session, conversation, LOST_CODE)
                lost.append(conversation.id)
            elif found is not None:
                moves.end(session, conversation, found.code, detail=found.detail)
                {LOST_CODE: lost, "idle": idle}.get(found.code, unserved).append(conversation.id)
    return ChatsSwept(tuple(lost), tuple(idle), tuple(unserved))


def _is_silent(conversation: Conversation, edge: datetime) -> bool:
    leased = CHAT_STAGES[conversation.state].leased
    return leased and (conversation.heartbeat_at or conversation.state_since) < edge
