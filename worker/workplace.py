"""What one worker process works with: the database, its settings, the sandboxes of this machine."""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock

from harness.errors import OperatorError, UsageError
from leaderboard import ledger
from worker.images import Runtime, prepare, stored_runtime
from worker.images.used import mark_used
from worker.place import Place
from worker.sandbox import Over, Sandbox, in_no_case
from worker.sandbox.choose import open_sandbox
from worker.sandbox.docker import reap_containers
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
    _kept: dict[tuple[str, str], Bench] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, name: str) -> Bench:
        """The bench of this name; `OperatorError` (`engine_down`, `image_missing`) without it."""
        with self._lock:
            bench = self._ready.get(name) or self._made(name)
            self._ready[name] = bench
        self._mark_used(bench)
        try:
            bench.sandbox.check()
        except OperatorError as error:
            if error.code == "image_missing":  # it was removed since: the next need makes it anew
                with self._lock:
                    self._ready.pop(name, None)
            raise
        return bench

    def stored(self, name: str, digest: str) -> Bench:
        """The bench over the runtime of this digest, which may be an older one; nothing is made.

        `OperatorError` (`engine_down`, `image_missing`) without it.
        """
        place = Place.open(self.settings.sandbox_directory)
        with self._lock:
            bench = self._kept.get((name, digest))
            if bench is None:
                runtime = stored_runtime(name, digest, place=place)
                sandbox = open_sandbox(name, runtime=runtime, settings=self.settings)
                bench = self._kept[name, digest] = Bench(sandbox, runtime)
        self._mark_used(bench)
        bench.sandbox.check()
        return bench

    def _mark_used(self, bench: Bench) -> None:
        """So that whoever frees this machine's disk leaves the runtime alone."""
        mark_used(bench.runtime, place=Place.open(self.settings.sandbox_directory))

    def reap(self, *, over: Over = in_no_case) -> int:
        """Remove our cells that are past their deadline or `over`, or whose worker has died; how
        many were removed.

        Containers are looked for even if this process has started none: those of a worker that
        was killed outlive it.
        """
        place = Place.open(self.settings.sandbox_directory)

        def gone(labels: Mapping[str, str]) -> bool:
            return over(labels) or place.is_abandoned(labels.get("rostrum.owner", ""))

        with self._lock:
            benches = {**self._ready, **{name: one for (name, _), one in self._kept.items()}}
        removed = sum(bench.sandbox.reap(over=gone) for bench in benches.values())
        if "docker" not in benches:
            with suppress(OperatorError):  # no engine here, and nobody has needed one
                removed += reap_containers(gone)
        place.sweep()
        return removed

    def _made(self, name: str) -> Bench:
        try:
            runtime = prepare(name, _told)
        except UsageError as error:
            _log.exception("no runtime for %s", name)
            raise OperatorError("image_missing", message=error.message) from error
        return Bench(open_sandbox(name, runtime=runtime, settings=self.settings), runtime)


@dataclass(frozen=True, slots=True)
class Workplace:
    """One worker process. `name` is shown in timelines; `shutdown` ends all work soon.

    `gpu` is the accelerator bound to it, by its number on this machine; None: it has none.
    """

    db: ledger.Database
    settings: Settings
    name: str
    benches: Benches
    gpu: str | None = None
    shutdown: Event = field(default_factory=Event)


def worker_name() -> str:
    """How this process calls itself: machine and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _told(line: str) -> None:
    _log.info("%s", line)
