"""What becomes of throughput, waiting and database statements as the submissions grow in number.

Run `python tests/bench/bench_scale.py [--submissions 10000] [--workers 64] [--database NAME]`.
Simulated workers on a simulated clock, the real ledger on SQLite or PostgreSQL; see
`tests/simulation/simulated.py` for what goes wrong on the way. Every tenth of the submissions has
its line: if the statements of an attempt, or their milliseconds, grew with the number of attempts,
it would show. Status 1 if an invariant is broken or a figure is above its limit.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "simulation"))
from services import Postgres, has_postgres
from simulated import Plan, Simulation
from simulatedworker import TRACKS

from leaderboard import invariants
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create
from leaderboard.states import Queue

LIMIT_STATEMENTS = 40
"""Of one attempt and track, heartbeats and the sweep apart."""

PARTS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--look", type=float, default=Plan().look, help="seconds; 0 for never")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    options = parser.parse_args()
    plan = Plan(
        submissions=options.submissions,
        workers=options.workers,
        look=options.look,
        seed=options.seed,
    )
    os.environ["ROSTRUM_LOST_SECONDS"] = str(plan.silence)
    chosen = options.database or ["sqlite", *(["postgres"] if has_postgres() else [])]
    well = [_measured(name, plan) for name in chosen]
    sys.exit(not all(well))


@contextmanager
def _database(name: str) -> Iterator[Database]:
    if name == "postgres":
        with Postgres() as server:
            database = create(server.database())
            yield database
            database.close()
    else:
        with tempfile.TemporaryDirectory(prefix="rostrum-bench-") as folder:
            database = create(f"sqlite:///{folder}/rostrum.db")
            yield database
            database.close()


def _measured(name: str, plan: Plan) -> bool:
    with _database(name) as database:
        simulation = Simulation(database, plan)
        print(f"{name}: {plan.submissions} submissions over {plan.workers} workers")
        _have_told(simulation)
        begin = time.perf_counter()
        simulation.run()
        _summary(simulation, seconds=time.perf_counter() - begin)
        broken = invariants.broken(simulation.db)
        for sentence in broken:
            print(f"  broken: {sentence}")
        print(f"  invariants: {'broken' if broken else 'hold'}")
        return not broken and _by_track(simulation) <= LIMIT_STATEMENTS


def _by_track(simulation: Simulation) -> float:
    return simulation.statements["attempt"] / simulation.ended / len(TRACKS)


def _have_told(simulation: Simulation) -> None:
    """Have a line printed for every part of the submissions as it ends."""
    part = max(1, simulation.plan.submissions // PARTS)
    last = {"wall": time.perf_counter(), "sim": 0.0, "attempt": 0, "all": 0}

    def tell() -> None:
        if simulation.ended % part:
            return
        counts = simulation.statements
        statements = (counts["attempt"] - last["attempt"]) / part
        spent = 1000 * (time.perf_counter() - last["wall"]) / (counts.total() - last["all"])
        hourly = 3600 * part / (simulation.seconds - last["sim"])
        print(
            f"  {simulation.ended:6} ended: {statements:5.1f} statements an attempt "
            f"({statements / len(TRACKS):.1f} a track), {spent:.2f} ms each, {hourly:5.0f} an hour",
            flush=True,
        )
        last.update(
            wall=time.perf_counter(),
            sim=simulation.seconds,
            attempt=counts["attempt"],
            all=counts.total(),
        )

    simulation.on_end = tell


def _summary(simulation: Simulation, *, seconds: float) -> None:
    hours = simulation.seconds / 3600
    print(f"  throughput: {simulation.ended / hours:.0f} an hour over {hours:.1f} simulated hours")
    print(f"  statements: {_by_track(simulation):.1f} an attempt and track")
    print(f"  of the database: {simulation.ended / seconds:.0f} attempts a second of ours")
    for queue in (Queue.PREFLIGHT, Queue.EVALUATE):
        half, most = (simulation.waits.at(queue, share) for share in (0.5, 0.95))
        print(f"  wait for {queue.value}: median {half:.1f} s, 95 % within {most:.1f} s")
    others = ", ".join(
        f"{purpose} {number / simulation.ended:.1f}"
        for purpose, number in simulation.statements.items()
        if purpose != "attempt"
    )
    print(f"  other statements by attempt: {others}")
    told = ", ".join(f"{number} {what}" for what, number in sorted(simulation.happened.items()))
    print(f"  on the way: {told}")


if __name__ == "__main__":
    main()
