"""The host of live chats: one loop that leases conversations and hands questions to their threads.

The database is all that site and worker share: the loop looks into it often while it holds a chat
and seldom while it holds none, and whoever has news wakes it. It never waits for an agent.
"""

import logging
import time
from collections.abc import Iterable
from threading import Event, Thread

from leaderboard import conversations
from worker.converse.chat import ChatThread
from worker.converse.pool import END_SECONDS as POOL_SECONDS
from worker.converse.pool import Pool
from worker.workplace import Workplace

BUSY_SECONDS = 0.04
"""Between two looks while a chat is held: what a rater waits for beside the partner itself."""

IDLE_SECONDS = 1.0
"""Between two looks while none is held; a hint wakes the host sooner."""

BEAT_SECONDS = 3.0
"""The longest silence of a host that lives: somebody waits before a screen."""

AGAIN_SECONDS = 3.0
"""How long a conversation that could not be opened here is left to other workers."""

END_SECONDS = 60.0
"""How long all chats together may take to end when the worker does."""

_log = logging.getLogger(__name__)


class Host:
    """Holds at most `places` conversations at a time, and keeps at most `spares` cells ready."""

    def __init__(self, workplace: Workplace, *, places: int, spares: int = 0) -> None:
        self._workplace = workplace
        self._places = places
        self._pool = Pool(workplace, places=spares)
        self._held: dict[int, ChatThread] = {}
        self._not_before: dict[int, float] = {}
        self._next_beat = 0.0
        self._news = Event()
        self._thread = Thread(target=self._run, name="rostrum-host", daemon=True)

    def start(self) -> None:
        """Begin to look for conversations."""
        self._thread.start()

    def wake(self) -> None:
        """There may be news: look now. Any thread may call this."""
        self._news.set()

    def close(self) -> bool:
        """Wait until every chat has ended after the worker's shutdown; whether they have."""
        self.wake()
        self._thread.join(END_SECONDS + POOL_SECONDS + IDLE_SECONDS)
        return not self._thread.is_alive() and not self._held and self._pool.ended

    def _run(self) -> None:
        shutdown = self._workplace.shutdown
        while not shutdown.is_set():
            try:
                self._round()
            except Exception:  # a database that is away may be back; the chats go on meanwhile
                _log.exception("the host's look failed")
                shutdown.wait(IDLE_SECONDS)
            self._news.wait(BUSY_SECONDS if self._held else IDLE_SECONDS)
            self._news.clear()
        self._end_all()

    def _round(self) -> None:
        """Deadlines first: they hold whatever the database does."""
        now = time.monotonic()
        self._watch(now)
        look = conversations.look(self._workplace.db, self._fences())
        for question in look.questions:
            self._held[question.conversation_id].ask(question)
        for number in look.ended:
            self._held[number].leave()
        if self._held and now >= self._next_beat:
            self._next_beat = now + min(BEAT_SECONDS, self._workplace.settings.heartbeat_seconds)
            conversations.beat(self._workplace.db, self._fences())
        self._take(look.waiting, now=now)
        self._pool.tick(now)

    def _watch(self, now: float) -> None:
        """Interrupt who is late, and forget who is gone."""
        for number, chat in list(self._held.items()):
            chat.watch(now)
            if chat.done.is_set():
                del self._held[number]
                if not chat.opened:
                    self._not_before[number] = now + AGAIN_SECONDS
        self._not_before = {n: at for n, at in self._not_before.items() if at > now}

    def _take(self, waiting: Iterable[int], *, now: float) -> None:
        """Lease what waits, as far as there are places; one that cannot be leased delays nobody."""
        for number in waiting:
            if len(self._held) >= self._places:
                return
            if number in self._held or self._not_before.get(number, now) > now:
                continue
            try:
                self._begin(number)
            except Exception:
                self._not_before[number] = now + AGAIN_SECONDS
                _log.exception("not leased: conversation=%d", number)

    def _begin(self, number: int) -> None:
        chat = conversations.lease(
            self._workplace.db,
            number,
            worker=self._workplace.name,
            gpu=(False, True) if self._workplace.gpu else (False,),
        )
        if chat is None:  # another worker's, or for one with another machine
            self._not_before[number] = time.monotonic() + AGAIN_SECONDS
        else:
            _log.info("leased: conversation=%d fence=%d", number, chat.fence)
            spare = self._pool.take(chat)
            self._held[number] = ChatThread(self._workplace, chat, wake=self.wake, spare=spare)
            self._held[number].start()

    def _fences(self) -> dict[int, int]:
        return {number: held.chat.fence for number, held in self._held.items()}

    def _end_all(self) -> None:
        """Tell the raters first, then end every cell and see that it is gone."""
        chats = list(self._held.values())
        try:
            conversations.dropped(self._workplace.db, [held.chat for held in chats])
        except Exception:  # the sweep will find them silent
            _log.exception("the end of the chats was not written")
        for held in chats:
            held.leave()
        deadline = time.monotonic() + END_SECONDS
        for held in chats:
            if held.join(deadline - time.monotonic()):
                del self._held[held.chat.id]
            else:
                _log.error("did not end: conversation=%d", held.chat.id)
        if not self._pool.close():
            _log.error("not every spare cell has ended")


_current: Host | None = None


def current() -> Host:
    """The host of this process."""
    if _current is None:
        raise RuntimeError("chats are held in `rostrum worker` only")
    return _current


def appoint(host: Host) -> None:
    """Make this the host that the task of this process wakes."""
    global _current  # noqa: PLW0603  # Celery calls its tasks by name, without a place for state
    _current = host
