"""What one worker process works with: the database, its settings, the sandboxes of this machine."""

import logging
import os
import socket
from dataclasses import dataclass, field
from threading import Event, Lock

from harness.errors import OperatorError, UsageError
from leaderboard import ledger
from worker.images import Runtime, prepare
from worker.sandbox import Sandbox
from worker.sandbox.choose import open_sandbox
from worker.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bench:
    """A sandbox that is ready, with the runtime that its cells are started from."""

    sandbox: Sandbox
    runtime: Runtime


@dataclass(slots=True)
class Benches:
    """The sandboxes of this machine, by name; each runtime is prepared once, at first need."""

    settings: Settings
    _ready: dict[str, Bench] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, name: str) -> Bench:
        """The bench of this name; `OperatorError` (`engine_down`, `image_missing`) without it."""
        with self._lock:
            bench = self._ready.get(name) or self._made(name)
            self._ready[name] = bench
        bench.sandbox.check()
        return bench

    def reap(self) -> int:
        """Remove our cells that are past their deadline; how many were removed."""
        with self._lock:
            benches = list(self._ready.values())
        return sum(bench.sandbox.reap() for bench in benches)

    def _made(self, name: str) -> Bench:
        try:
            runtime = prepare(name, _told)
        except UsageError as error:
            _log.exception("no runtime for %s", name)
            raise OperatorError("image_missing", message=error.message) from error
        return Bench(open_sandbox(name, runtime=runtime, settings=self.settings), runtime)


@dataclass(frozen=True, slots=True)
class Workplace:
    """One worker process. `name` is shown in timelines; `shutdown` ends all work soon."""

    db: ledger.Database
    settings: Settings
    name: str
    benches: Benches
    shutdown: Event = field(default_factory=Event)


def worker_name() -> str:
    """How this process calls itself: machine and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _told(line: str) -> None:
    _log.info("%s", line)
