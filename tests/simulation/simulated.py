"""A season of submissions over simulated workers: the real ledger and database, a clock of our own.

Nothing is fetched or run: a worker's step is a wait in simulated time, then the call of the ledger
that a real worker would make. What goes wrong in earnest goes wrong here, by the rates of a `Plan`:
hints are lost and come thrice, workers die in the middle and some of them wake up and write, the
platform fails, submissions fail, teams cancel. Everything follows from the seed.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from simulatedworker import SimulatedWorker
from sqlalchemy import event
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import competition, ledger, teams
from leaderboard.db.engine import Database
from leaderboard.states import Queue, State

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
RULES = """
schema = 1
[competition]
id = "simulated"
title = "A simulated season"
sandbox = ["bubblewrap"]
[[phase]]
name = "test"
opens = 2023-01-01T00:00:00Z
closes = 2030-01-01T00:00:00Z
[tracks.hits]
[tracks.f1]
[tracks.ppl]
[preflight]
per_day = 1000
[quota]
scored_per_month = 1000
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated; times in seconds. `load` is the share of the workers that scoring keeps
    busy, `heartbeat` ten times rarer than in earnest, as the patience with silence is then, and
    `look` how often an idle worker asks by itself."""

    submissions: int = 10_000
    workers: int = 64
    each_team: int = 4
    load: float = 0.85
    seed: int = 0
    fetch: float = 10.0
    build: float = 30.0
    preflight: float = 60.0
    run: float = 300.0
    heartbeat: float = 150.0
    beat: float = 60.0
    look: float = 15.0
    hint_lost: float = 0.05
    hint_thrice: float = 0.05
    ours: float = 0.01
    theirs: float = 0.03
    cancelled: float = 0.02
    crash: float = 6 * 3600.0
    away: float = 300.0
    zombies: float = 0.5

    @property
    def silence(self) -> float:
        """What `ROSTRUM_LOST_SECONDS` must be set to."""
        return 6 * self.heartbeat

    @property
    def every(self) -> float:
        """The mean time between two submissions."""
        return self.run / (self.workers * self.load)


@dataclass(slots=True)
class Waits:
    """How long attempts waited for a worker, in simulated seconds, by the queue."""

    of: dict[Queue, list[float]] = field(
        default_factory=lambda: {Queue.PREFLIGHT: [], Queue.EVALUATE: []}
    )

    def at(self, queue: Queue, share: float) -> float:
        """The wait that this share of them did not exceed."""
        waits = sorted(self.of[queue])
        return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else 0.0


class Simulation:
    """One run of a plan on a database with tables and nothing in them."""

    def __init__(self, db: Database, plan: Plan) -> None:
        self.db = Database(db.engine, self.clock)
        self.plan = plan
        self.rng = random.Random(plan.seed)
        self.seconds = 0.0
        self.waits = Waits()
        self.statements: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.ended = 0
        self.on_end: Callable[[], None] = lambda: None
        self._purpose = "other"
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = count()
        self._since: dict[int, float] = {}
        self._waiting: dict[int, Queue] = {}
        self._left = plan.submissions
        self._names = count(1)
        self.workers = [SimulatedWorker(self) for _ in range(plan.workers)]

    def clock(self, _session: Session) -> datetime:
        """The database's time."""
        return BEGIN + timedelta(seconds=self.seconds)

    def at(self, wait: float, call: Callable[..., None], *arguments: Any) -> None:
        """Have something happen after a wait."""
        moment = self.seconds + wait
        heapq.heappush(self._events, (moment, next(self._numbers), call, arguments))

    def lasts(self, mean: float) -> float:
        """A duration of this mean: some are short, a few are long."""
        return self.rng.lognormvariate(0.0, 0.5) * mean / 1.133

    @contextmanager
    def doing(self, purpose: str) -> Iterator[None]:
        """What the statements of the block are counted as."""
        before, self._purpose = self._purpose, purpose
        try:
            yield
        finally:
            self._purpose = before

    def run(self) -> None:
        """Until every submission has ended."""
        event.listen(self.db.engine, "before_cursor_execute", self._count)
        try:
            self._open()
            while self.ended < self.plan.submissions:
                self.seconds, _, call, arguments = heapq.heappop(self._events)
                call(*arguments)
        finally:
            event.remove(self.db.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.statements[self._purpose] += 1

    def _open(self) -> None:
        competition.load(self.db, RULES)
        for worker in self.workers:
            worker.start()
        span = self.plan.every * self.plan.submissions
        for number in range(-(-self.plan.submissions // self.plan.each_team)):
            team = teams.add(
                self.db,
                "simulated",
                name=f"team-{number}",
                repo_url=f"https://git.example/{number}",
                branch="main",
                baseline=False,
            ).team.id
            for _ in range(self.plan.each_team):
                self.at(self.rng.uniform(0, span), self._submit, team)
        self.at(0.0, self._beat)

    def _submit(self, team: int) -> None:
        if not self._left:
            return
        try:
            with self.doing("attempt"):
                attempt = ledger.accept(self.db, team_id=team, ref="main")
            if not attempt.new:
                raise UsageError("the same again", code="attempt_under_way")
        except UsageError:  # the team's last one is under way
            self.happened["submitted too early"] += 1
            self.at(self.lasts(600), self._submit, team)
            return
        self._left -= 1
        self.waiting(attempt.attempt_id, Queue.PREFLIGHT)
        self.hint(Queue.PREFLIGHT)
        if self.rng.random() < self.plan.cancelled:
            self.at(self.lasts(300), self._cancel, attempt.attempt_id)

    def _cancel(self, attempt: int) -> None:
        try:
            with self.doing("attempt"):
                state = ledger.cancel(self.db, attempt, reason="the team changed its mind")
        except UsageError:
            return
        self.happened["cancelled"] += 1
        if state is State.CANCELLED:
            self.end(attempt)

    def _beat(self) -> None:
        with self.doing("sweep"):
            swept = ledger.sweep(self.db)
            hints = ledger.waiting(self.db, most=64)
        for attempt in swept.cancelled:
            self.end(attempt)
        for attempt in (*swept.lost, *swept.overdue):
            self.happened["lost by a worker"] += attempt in swept.lost
            self.settle(attempt)
        for hint in hints:
            self.hint(hint.queue)
        self.at(self.plan.beat, self._beat)

    def waiting(self, attempt: int, queue: Queue) -> None:
        """It waits for a worker from now on."""
        self._since[attempt] = self.seconds
        self._waiting[attempt] = queue

    def taken(self, work: ledger.Work) -> None:
        """A worker has it."""
        queue = self._waiting.pop(work.attempt_id)
        if (since := self._since.pop(work.attempt_id, None)) is not None:
            self.waits.of[queue].append(self.seconds - since)

    def is_any(self, queue: Queue) -> bool:
        """Whether something waits in this queue: an idle look of 64 workers would find nothing
        else, and take most of the hours of a simulation."""
        return queue in self._waiting.values()

    def settle(self, attempt: int) -> None:
        """It went back to wait, or has ended."""
        state = ledger.timeline(self.db, attempt)[-1].target
        if state in (State.RECEIVED, State.QUEUED):  # it waits for its retry; that is no queueing
            self._waiting[attempt] = Queue.PREFLIGHT if state is State.RECEIVED else Queue.EVALUATE
        else:
            self.end(attempt)

    def end(self, attempt: int) -> None:
        """It has come to its end."""
        self._since.pop(attempt, None)
        self._waiting.pop(attempt, None)
        self.ended += 1
        self.on_end()

    def hint(self, queue: Queue) -> None:
        """A message, as brokers carry it: to one of those who listen, mostly once."""
        if self.rng.random() < self.plan.hint_lost:
            self.happened["hints lost"] += 1
            return
        thrice = self.rng.random() < self.plan.hint_thrice
        self.happened["hints that came thrice"] += thrice
        for _ in range(3 if thrice else 1):
            worker = self.rng.choice(self.workers)
            if worker.alive:
                worker.wake(queue)

    def name(self) -> str:
        """A new worker's name."""
        return f"worker-{next(self._names)}"
