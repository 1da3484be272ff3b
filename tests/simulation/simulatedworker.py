"""A simulated worker: it takes, goes on, fails and dies as a real one, without the work itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import OperatorError, SubmissionError
from harness.report import Report, Score, Signature, Total
from leaderboard import fleet, ledger
from leaderboard.hints import channel
from leaderboard.states import Queue, State

if TYPE_CHECKING:
    from simulated import Simulation

TRACKS = ("hits", "f1", "ppl")


class SimulatedWorker:
    """One slot for preflights, one for scoring; it dies now and then, and comes back under a new
    name, as a process does."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.alive = False
        self.name = ""
        self.held: dict[Queue, ledger.Work] = {}

    def start(self) -> None:
        """It is there, idle."""
        it = self.simulation
        self.alive, self.name, self.held = True, it.name(), {}
        with it.doing("fleet"):
            queues = [channel(queue) for queue in (Queue.PREFLIGHT, Queue.EVALUATE)]
            fleet.announce(it.db, self.name, queues=queues, slots=1, gpu=None, version="0")
        it.at(it.rng.expovariate(1 / it.plan.crash), self._die, self.name)
        it.at(it.rng.uniform(0, it.plan.heartbeat), self._heart, self.name)
        if it.plan.look:
            it.at(it.rng.uniform(0, it.plan.look), self._look, self.name)

    def wake(self, queue: Queue) -> None:
        """A hint: take what has its turn, if the slot is free."""
        if queue in self.held:
            return
        it = self.simulation
        before = it.statements["attempt"]
        with it.doing("attempt"):
            work = ledger.lease_next(it.db, queue, worker=self.name)
        if work is None:
            it.statements["look"] += it.statements["attempt"] - before
            it.statements["attempt"] = before
            return
        it.taken(work)
        self.held[queue] = work
        if it.rng.random() < it.plan.hint_thrice:  # the same task at two other workers
            with it.doing("look"):
                assert ledger.lease(it.db, work.attempt_id, worker="another") is None
        self._go_on(work)

    def _go_on(self, work: ledger.Work) -> None:
        plan = self.simulation.plan
        seconds = {
            State.FETCHING: plan.fetch,
            State.BUILDING: plan.build,
            State.PREFLIGHT: plan.preflight,
            State.RUNNING: plan.run,
        }[work.state]
        it = self.simulation
        it.at(it.lasts(seconds), self._step, self.name, work)

    def _step(self, name: str, work: ledger.Work) -> None:
        it = self.simulation
        if name != self.name or not self.alive:
            if it.rng.random() < it.plan.zombies:  # the machine was only frozen
                it.happened["zombies"] += 1
                with it.doing("look"):
                    self._write_late(work)
            return
        queue = Queue.EVALUATE if work.state is State.RUNNING else Queue.PREFLIGHT
        if self.held.get(queue) != work:
            return
        with it.doing("attempt"):
            after = self._written(work)
        if after is None:
            del self.held[queue]
            self.wake(queue)
        else:
            self.held[queue] = after
            self._go_on(after)

    def _write_late(self, work: ledger.Work) -> None:
        """What a frozen worker does when it wakes up; nothing may come of it, or it is in time."""
        it = self.simulation
        try:
            state = ledger.fail(it.db, work, SubmissionError("crashed"))
        except ledger.Lost:
            return
        if state is State.FAILED:
            it.end(work.attempt_id)

    def _written(self, work: ledger.Work) -> ledger.Work | None:
        """Tell the ledger how the step went; the work that goes on, if it does."""
        it = self.simulation
        try:
            if it.rng.random() < it.plan.ours:
                it.happened["faults of ours"] += 1
                ledger.fail(it.db, work, OperatorError("engine_down"))
                it.settle(work.attempt_id)
                return None
            if it.rng.random() < it.plan.theirs:
                it.happened["faults of theirs"] += 1
                ledger.fail(it.db, work, SubmissionError("crashed"))
                it.end(work.attempt_id)
                return None
            return self._advanced(work)
        except ledger.Lost:
            it.happened["leases lost"] += 1
        except ledger.StopAsked:
            ledger.stopped(it.db, work, gone=True)
            it.end(work.attempt_id)
        return None

    def _advanced(self, work: ledger.Work) -> ledger.Work | None:
        it = self.simulation
        match work.state:
            case State.FETCHING:
                facts: ledger.Facts = {"commit": "c" * 40, "entry": "e", "tracks": TRACKS}
                return ledger.advance(it.db, work, State.BUILDING, **facts)
            case State.BUILDING:
                return ledger.advance(
                    it.db, work, State.PREFLIGHT, environment=None, image="sha256:1"
                )
            case State.PREFLIGHT:
                for track in TRACKS:
                    ledger.keep_log(it.db, work, name=track, text="[rostrum] answered\n" * 40)
                ledger.advance(it.db, work, State.QUEUED, can_chat=True, sandbox="bubblewrap")
                it.waiting(work.attempt_id, Queue.EVALUATE)
                it.hint(Queue.EVALUATE)
            case _:
                ledger.score(it.db, work, REPORTS)
                it.end(work.attempt_id)
        return None

    def _die(self, name: str) -> None:
        it = self.simulation
        if name == self.name and self.alive:
            it.happened["workers killed"] += 1
            self.alive = False
            it.at(it.lasts(it.plan.away), self.start)

    def _look(self, name: str) -> None:
        """An idle worker asks by itself: a hint may have gone to one that was busy."""
        it = self.simulation
        if name == self.name and self.alive:
            for queue in filter(it.is_any, (Queue.PREFLIGHT, Queue.EVALUATE)):
                self.wake(queue)
            it.at(it.plan.look, self._look, name)

    def _heart(self, name: str) -> None:
        it = self.simulation
        if name != self.name or not self.alive:
            return
        with it.doing("heartbeat"):
            fleet.seen(it.db, self.name)
            for queue, work in list(self.held.items()):
                beat = ledger.heartbeat(it.db, work)
                if beat.stop and beat.held:
                    ledger.stopped(it.db, work, gone=True)
                    it.end(work.attempt_id)
                if beat.stop or not beat.held:
                    del self.held[queue]
        it.at(it.plan.heartbeat, self._heart, name)


def _report(track: Any) -> Report:
    return Report(
        track=track,
        score=Score(value=0.3, low=0.2, high=0.4, n=1000),
        signature=str(Signature(track=track, data="d" * 64)),
        sandbox="bubblewrap",
        totals=tuple(Total(0.3, 1.0) for _ in range(100)),
        tokens=16_155 if track == "ppl" else None,
        unknown=149 if track == "ppl" else None,
        vocabulary=4_487 if track == "ppl" else None,
        seconds=12.5,
        agent={"harness": "0.1.0"},
    )


REPORTS: dict[Any, Report] = {track: _report(track) for track in TRACKS}
