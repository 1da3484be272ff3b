"""Holds the lease of one attempt: a thread says that we live, and hears when to stop.

The thread never touches a sandbox: it interrupts the conversation with the agent, and whoever
waits for the answer ends the cell and finds out here why.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Protocol, Self, Unpack

from leaderboard import ledger
from leaderboard.states import State
from worker.stopped import Stopped

_LOOK_SECONDS = 0.25
_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why work on an attempt ends early."""

    CANCELLED = "cancelled"
    LOST = "lost"
    SHUTDOWN = "shutdown"


class Interruptible(Protocol):
    """A conversation that another thread may end."""

    def interrupt(self) -> None:
        """Have the wait for an answer end at once."""


class Hold:
    """A context manager around the work on one leased attempt.

    `work` is the lease as of its last step. `stop` is set once the work should end; `reason` says
    why. `unverified` counts the cells that were started and are not verified to be gone. `every`
    and `patience` are seconds between heartbeats, and of heartbeats that could not be written until
    the lease is taken for lost.
    """

    def __init__(
        self,
        db: ledger.Database,
        work: ledger.Work,
        *,
        every: float,
        patience: float,
        shutdown: Event,
    ) -> None:
        self.work = work
        self.stop = Event()
        self.reason: Reason | None = None
        self.unverified = 0
        self._db = db
        self._every = every
        self._patience = patience
        self._shutdown = shutdown
        self._done = Event()
        self._lock = Lock()
        self._talk: Interruptible | None = None
        self._thread = Thread(
            target=self._run, name=f"rostrum-heart-{work.attempt_id}", daemon=True
        )

    def advance(self, target: State, **facts: Unpack[ledger.Facts]) -> None:
        """Move the attempt one step on; `Stopped` if somebody wants the work to end."""
        self.check()
        with self.stoppable():
            self.work = ledger.advance(self._db, self.work, target, **facts)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Around a step in the ledger: a stop that it knew of before us is `Stopped` here."""
        try:
            yield
        except ledger.StopAsked as asked:
            self._end(Reason.CANCELLED)
            raise Stopped from asked

    def check(self) -> None:
        """Raise `Stopped` if the work should end."""
        if self.stop.is_set():
            raise Stopped

    @contextmanager
    def talking(self, talk: Interruptible) -> Iterator[None]:
        """While the block runs, a stop interrupts `talk`; `Stopped` at its beginning or end."""
        with self._lock:
            self._talk = talk
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._talk = None
            self.check()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        heard = due = time.monotonic()
        while not self._done.wait(min(_LOOK_SECONDS, self._every)):
            if self._shutdown.is_set():
                return self._end(Reason.SHUTDOWN)
            now = time.monotonic()
            if now < due:
                continue
            due = now + self._every
            beat = self._beat()
            if beat is None:
                if now - heard > self._patience:
                    return self._end(Reason.LOST)
                continue
            heard = now
            if beat.stop:
                return self._end(Reason.CANCELLED)
            if not beat.held:
                return self._end(Reason.LOST)

    def _beat(self) -> ledger.Beat | None:
        """One heartbeat; None if the database did not take it, which the next one may mend."""
        work = self.work
        try:
            beat = ledger.heartbeat(self._db, work)
        except Exception:  # whatever a database can do; the lease outlives a missed beat
            _log.exception("heartbeat not written: attempt=%d", work.attempt_id)
            return None
        if not beat.held and self._done.is_set():
            return None
        return beat

    def _end(self, reason: Reason) -> None:
        _log.warning("ending work: attempt=%d reason=%s", self.work.attempt_id, reason.value)
        self.reason = reason
        self.stop.set()
        with self._lock:
            if self._talk is not None:
                self._talk.interrupt()
