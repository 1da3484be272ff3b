"""The sweep and what else looks at all attempts, over 100,000 submissions.

    python tests/bench/bench_sweep.py [--submissions N] [--postgres]

Prints medians in milliseconds, and fails where the sweep takes more than 100. With `--postgres` the
same over a PostgreSQL server of its own. One submission in a thousand waits, as many are at work,
a few of their workers are silent; the rest has ended.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

sys.path.insert(0, str(Path(__file__).parents[1]))

from leaderboard import competition, fleet, ledger
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create
from leaderboard.db.models import Attempt, Event, Role, Submission, Team
from leaderboard.states import Queue, State, channel
from leaderboard.submissions import submission
from leaderboard.waiting import silence

TOML = """
schema = 1
[competition]
id = "big"
title = "Many submissions"
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[tracks.f1]
"""

LIMIT_MS = 100.0
TEAMS = 2_000
AT_ONCE = 5_000
ROUNDS = 7


def main() -> int:
    """Fill, measure, print; 1 where the sweep is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=100_000)
    parser.add_argument("--postgres", action="store_true")
    chosen = parser.parse_args()
    os.environ["ROSTRUM_LOST_SECONDS"] = "90"
    slow = False
    for name, opened in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
        if name == "PostgreSQL" and not chosen.postgres:
            continue
        with opened() as db:
            fill(db, chosen.submissions)
            print(f"{name}, {chosen.submissions:,} submissions; medians of {ROUNDS}")
            for what, took in measured(db):
                print(f"  {what:<40} {took:8.1f} ms")
                slow |= what == "sweep" and took > LIMIT_MS
    return int(slow)


def measured(db: Database) -> Iterator[tuple[str, float]]:
    """What is measured, and its median in milliseconds; the first sweep changes rows."""
    last = max(hint.attempt_id for hint in ledger.waiting(db))
    yield "first sweep, which finds something", _milliseconds(lambda: ledger.sweep(db), rounds=1)
    yield "sweep", _milliseconds(lambda: ledger.sweep(db))
    yield "what waits, 64 of each kind", _milliseconds(lambda: ledger.waiting(db, most=64))
    yield (
        "lease of the next attempt",
        _milliseconds(lambda: ledger.lease_next(db, Queue.EVALUATE, worker="b1")),
    )
    yield "page of a submission that waits", _milliseconds(lambda: submission(db, last))
    yield "whether anybody is at work", _milliseconds(lambda: silence(db))


def fill(db: Database, count: int) -> None:
    """Teams with `count` submissions, each with one attempt and its timeline."""
    competition.load(db, TOML)
    names = [channel(queue) for queue in Queue]
    for number in range(1, 9):
        fleet.announce(db, f"b{number}", queues=names, slots=2, gpu=None, version="0")
    moment = datetime.now(UTC)
    with db.write() as session:
        session.execute(insert(Team), [_team(number) for number in range(1, TEAMS + 1)])
    for first in range(1, count + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count + 1))
        with db.write() as session:
            session.execute(insert(Submission), [_submission(n, moment) for n in numbers])
            session.execute(insert(Attempt), [_attempt(n, moment) for n in numbers])
            session.execute(insert(Event), [row for n in numbers for row in _events(n, moment)])
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


Row = dict[str, Any]  # Any: the columns of a table


def _team(number: int) -> Row:
    return {
        "id": number,
        "competition_id": "big",
        "name": f"team {number}",
        "repo_url": f"https://git.example/{number}",
        "branch": "main",
        "baseline": False,
        "token_sha256": f"{number:064x}",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def _submission(number: int, moment: datetime) -> Row:
    return {
        "id": number,
        "team_id": number % TEAMS + 1,
        "ref": "main",
        "commit": f"{number:040x}",
        "entry": None,
        "created_at": _accepted(number, moment),
    }


def _attempt(number: int, moment: datetime) -> Row:
    state = _state(number)
    since = _accepted(number, moment) + timedelta(minutes=5)
    if state is State.RUNNING:
        since = moment - timedelta(minutes=30)
    silent = state is State.RUNNING and number % 20_000 == 1
    beaten = moment - timedelta(hours=1) if silent else moment + timedelta(days=1)
    return {
        "submission_id": number,
        "team_id": number % TEAMS + 1,
        "accepted_at": _accepted(number, moment),
        "month": "2026-11",
        "split": Role.TEST,
        "state": state,
        "state_since": since,
        "fence": 2,
        "worker": f"b{number % 8 + 1}" if state is State.RUNNING else None,
        "heartbeat_at": beaten if state is State.RUNNING else None,
        "turn": since if state in (State.RECEIVED, State.QUEUED) else None,
        "verdict_code": "crashed" if state is State.FAILED else None,
        "tracks": ["f1"],
        "gpu": False,
    }


def _events(number: int, moment: datetime) -> Iterator[Row]:
    way = (State.RECEIVED, State.FETCHING, State.BUILDING, State.PREFLIGHT, State.QUEUED)
    state, at = _state(number), _accepted(number, moment)
    if state is State.RECEIVED:
        way = way[:1]
    ends = (State.RUNNING, state) if state in (State.SCORED, State.FAILED) else (state,)
    whole = way if state in way else way + ends
    for place, target in enumerate(whole):
        yield {
            "attempt_id": number,
            "at": at + timedelta(seconds=20 * place),
            "source": whole[place - 1] if place else None,
            "target": target,
            "fence": 2 if place > 4 else min(place, 1),
            "worker": "b1" if place else None,
            "code": None,
            "note": "",
        }


def _state(number: int) -> State:
    places = {0: State.RECEIVED, 500: State.QUEUED, 1: State.RUNNING}
    return places.get(number % 1000) or (State.FAILED if number % 3 else State.SCORED)


def _accepted(number: int, moment: datetime) -> datetime:
    return moment - timedelta(minutes=60 + number % 40_000)


def _milliseconds(call: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)


@contextmanager
def _sqlite() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="rostrum-bench-") as folder:
        db = create(f"sqlite:///{folder}/rostrum.db")
        yield db
        db.close()


@contextmanager
def _postgres() -> Iterator[Database]:
    from services import Postgres

    with Postgres() as server:
        db = create(server.database())
        yield db
        db.close()


if __name__ == "__main__":
    sys.exit(main())
