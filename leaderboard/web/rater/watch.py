"""The long polls of all raters share one look at the database.

There is no thread of its own: while anybody waits, one of the waiting requests leads. It asks for
the versions of all conversations that are waited for, once every `PERIOD`, and wakes the others
only when one of them has grown. When its own wait ends, another one takes the lead.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore, Condition

from flask import current_app

EXTENSION = "rostrum_watch"

PERIOD = 0.03
"""Seconds between two looks."""

HOLDS = 40
"""Requests that may be held at once; beyond it a poll is answered with what is known now."""

HOLDS_EACH = 3
"""Requests held for one conversation; a newer one ends the oldest, which nobody reads any more."""

Look = Callable[[Collection[int]], Mapping[int, int]]
"""The versions of some conversations, by id."""


class Watch:
    """Waits for a conversation's version to grow, for many requests at once."""

    def __init__(self, look: Look, *, period: float = PERIOD, holds: int = HOLDS) -> None:
        self._look = look
        self._period = period
        self._room = BoundedSemaphore(holds)
        self._changed = Condition()
        self._waiting: dict[int, list[Hold]] = {}
        self._seen: dict[int, int] = {}
        self._led = False
        self._due = 0.0
        self._closed = False

    def close(self) -> None:
        """End all waiting, now and from now on: the server stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def hold(self, conversation_id: int) -> Iterator["Hold | None"]:
        """A place to wait in, or None where all are taken."""
        if not self._room.acquire(blocking=False):
            yield None
            return
        hold = Hold(self, conversation_id)
        try:
            with self._changed:
                places = self._waiting.setdefault(conversation_id, [])
                places.append(hold)
                if len(places) > HOLDS_EACH:
                    places.pop(0)
                    self._changed.notify_all()
            yield hold
        finally:
            self._forget(hold)
            self._room.release()

    def _forget(self, hold: "Hold") -> None:
        with self._changed:
            places = self._waiting.get(hold.conversation_id, [])
            if hold in places:
                places.remove(hold)
            if not places:
                self._waiting.pop(hold.conversation_id, None)
                self._seen.pop(hold.conversation_id, None)

    def _wait(self, hold: "Hold", *, after: int, seconds: float) -> bool:
        """Whether the version grew beyond `after` within `seconds`."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._stands(hold):
                if self._seen.get(hold.conversation_id, -1) > after:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                if self._led:
                    self._changed.wait(left)
                else:
                    self._lead(hold, after=after, end=end)
            return False

    def _lead(self, hold: "Hold", *, after: int, end: float) -> None:
        """Look for everybody until the leader's own wait is over; called with the lock held."""
        self._led = True
        try:
            while (
                self._stands(hold)
                and self._seen.get(hold.conversation_id, -1) <= after
                and time.monotonic() < end
            ):
                self._changed.release()
                try:
                    time.sleep(max(0.0, min(self._due, end) - time.monotonic()))
                    self._due = time.monotonic() + self._period
                    found = dict(self._look(tuple(self._waiting)))
                finally:
                    self._changed.acquire()
                grown = {n: v for n, v in found.items() if v > self._seen.get(n, -1)}
                self._seen |= {n: v for n, v in grown.items() if n in self._waiting}
                if grown:
                    self._changed.notify_all()
        finally:
            self._led = False
            self._changed.notify_all()  # the lead is free

    def _stands(self, hold: "Hold") -> bool:
        return not self._closed and hold in self._waiting.get(hold.conversation_id, ())


class Hold:
    """One request that waits."""

    def __init__(self, watch: Watch, conversation_id: int) -> None:
        self._watch = watch
        self.conversation_id = conversation_id

    def wait(self, *, after: int, seconds: float) -> bool:
        """Whether the version grew beyond `after`; False at the end of `seconds`, or superseded."""
        return self._watch._wait(self, after=after, seconds=seconds)

    @property
    def stands(self) -> bool:
        """Whether the request is still worth holding: the server runs, no newer one took over."""
        with self._watch._changed:
            return self._watch._stands(self)


def watch() -> Watch:
    """The one of the application that answers."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Watch)
    return found
