"""What all cells share: the end comes once, in a fixed order, and is remembered."""

import signal
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from harness.remote.client import RemoteAgent
from worker.sandbox import Exit

LEAVE_SECONDS = 1.5
"""How long a cell whose sockets are closed may take to end by itself, so that its status counts."""

END_SECONDS = 30.0
"""How long the end by force may take until it is reported as not verified."""

_SHELL_SIGNALS = 128
_SIGNALS = range(1, 65)


class AlreadyRunningError(Exception):
    """Another delivery of the same attempt, no older than this one, is at work: stop, touch
    nothing."""


class OneCell(ABC):
    """A started cell; `_end` of the child does the work, at most once."""

    def __init__(self, agent: RemoteAgent):
        self.agent = agent
        self._exit: Exit | None = None
        self._lock = threading.Lock()

    def finish(self) -> Exit:
        """Close our sockets, end the cell, verify, report; later calls return the same."""
        with self._lock:
            if self._exit is None:
                self.agent.close()
                self._exit = self._end()
            return self._exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    @abstractmethod
    def _end(self) -> Exit:
        """End the cell, whatever state it is in; our sockets are closed."""


def exit_of(status: int, *, out_of_memory: bool = False) -> Exit:
    """The `Exit` of a cell that ended by itself; 128 + n is how a parent reports signal n."""
    number = status - _SHELL_SIGNALS
    if number not in _SIGNALS:
        return Exit(code=status, out_of_memory=out_of_memory)
    return Exit(
        signal=number,
        out_of_memory=out_of_memory,
        disk_full=number == signal.SIGXFSZ,
    )
