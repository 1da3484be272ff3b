"""What the life of an attempt costs the database, counted on the real way: fetch, cells, scores."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import event
from stage import EVAL, Stage

from leaderboard import ledger
from leaderboard.states import Queue, State
from worker.attempt import attend_next
from worker.settings import from_environment
from worker.workplace import Benches, Workplace

AGENT = """\
import numpy as np

class Agent:
    def respond(self, contexts):
        return ["i like to talk about it ." for _ in contexts]

    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in row] for row in candidates]

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return np.ones((len(contexts), len(vocabulary)), np.float32)
"""

TRACKS = ("hits", "f1", "ppl")

MOST = 40
"""Statements for each attempt and track; beginnings and ends of transactions are none."""


class Counted:
    """Statements of this process by their first words; heartbeats apart."""

    def __init__(self, db: ledger.Database) -> None:
        self.seen: Counter[str] = Counter()
        event.listen(db.engine, "before_cursor_execute", self._count)

    def _count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        begins = statement.startswith("BEGIN")
        if not begins and not threading.current_thread().name.startswith("rostrum-heart"):
            self.seen[" ".join(statement.split())[:70]] += 1

    def total(self) -> int:
        return sum(self.seen.values())


@pytest.fixture
def small(
    stages: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> tuple[Stage, Workplace]:
    """An installation, and a worker's place over it in this process."""
    stage = stages("bubblewrap")
    for name, value in stage.variables.items():
        monkeypatch.setenv(name, value)
    settings = from_environment()
    place = Workplace(stage.db, settings, "w1", Benches(settings))
    return stage, place


@pytest.mark.bubblewrap
@pytest.mark.filterwarnings("ignore:The ``noload``")  # of kombu's tables, under SQLAlchemy 2.1
def test_an_attempt_costs_at_most_forty_statements_for_each_track(
    small: tuple[Stage, Workplace],
) -> None:
    stage, place = small
    files = {"agent.py": AGENT} | {f"eval_{t}.py": EVAL.format(track=t) for t in TRACKS}
    team = stage.team("all", files)
    counted = Counted(stage.db)
    attempt = stage.submit(team)
    assert attend_next(place, Queue.PREFLIGHT, gpu=False)
    assert stage.state(attempt) is State.QUEUED
    assert attend_next(place, Queue.EVALUATE, gpu=False)
    assert stage.state(attempt) is State.SCORED
    assert counted.total() <= MOST * len(TRACKS), counted.seen.most_common()
