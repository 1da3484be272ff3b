"""Ctrl-C in a check: the cell is ended in order, at whatever moment it comes.

An exception out of a signal could come between a container's making and the note that it was made,
and leave it. So the first Ctrl-C only asks; the second is an exception as usual.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from types import FrameType

from harness.remote.client import RemoteAgent
from worker.stopped import Stopped


@dataclass(slots=True)
class Watch:
    """What `worker.exam` asks whether to go on; nobody but the person at the keyboard ends it."""

    stop: Event = field(default_factory=Event)
    unverified: int = 0
    _talk: RemoteAgent | None = None

    @contextmanager
    def talking(self, talk: RemoteAgent) -> Iterator[None]:
        """While the block runs, the end interrupts `talk`; `Stopped` at its beginning or end."""
        self._talk = talk
        try:
            self._check()
            yield
        finally:
            self._talk = None
            self._check()

    def end(self) -> None:
        """Ask for the end; what waits for an answer of the agent hears it at once."""
        self.stop.set()
        if (talk := self._talk) is not None:
            talk.interrupt()

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped


@contextmanager
def interruptible(watch: Watch) -> Iterator[None]:
    """While it lasts, the first Ctrl-C ends the watch; at the end it is a `KeyboardInterrupt`.

    Also where a shell has put us in the background, and the signal was ignored when we began.
    """
    before = signal.getsignal(signal.SIGINT)

    def ask(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        watch.end()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    except Stopped:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)
