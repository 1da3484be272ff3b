"""Shorthands for a competition in a SQLite file: a clock, teams, attempts at every stage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.agent import Track
from harness.report import Report, Score, Signature, Total
from leaderboard import ledger, teams
from leaderboard.db.engine import Database
from leaderboard.db.models import Attempt, Kind, QuotaEntry
from leaderboard.ledger import Work
from leaderboard.states import State

TOML = """
schema = 1
[competition]
id = "spc"
title = "A small competition"
sandbox = ["bubblewrap"]
[[phase]]
name = "test"
opens = 2023-01-01T00:00:00Z
closes = 2030-01-01T00:00:00Z
split = "test"
[tracks.hits]
candidates = 2
[tracks.f1]
[tracks.ppl]
"""


@dataclass
class Clock:
    """The database's time, as the test wants it."""

    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self, session: Session) -> datetime:
        return self.now

    def tick(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class House:
    """A database with one competition, and shorthands for the life of an attempt."""

    db: Database
    clock: Clock
    competition_id: str = "spc"
    team_ids: dict[str, int] = field(default_factory=dict)

    def team(self, name: str = "owls", *, baseline: bool = False) -> int:
        if name not in self.team_ids:
            added = teams.add(
                self.db,
                self.competition_id,
                name=name,
                repo_url=f"https://git.example/{name}",
                branch="main",
                baseline=baseline,
            )
            self.team_ids[name] = added.team.id
        return self.team_ids[name]

    def accept(self, name: str = "owls", ref: str = "main", *, baseline: bool = False) -> int:
        team_id = self.team(name, baseline=baseline)
        return ledger.accept(self.db, team_id=team_id, ref=ref).attempt_id

    def lease(self, attempt_id: int, worker: str = "w1") -> Work:
        due = self.attempt(attempt_id).not_before
        self.clock.now = max(self.clock.now, due or self.clock.now)
        work = ledger.lease(self.db, attempt_id, worker=worker)
        assert work is not None
        return work

    def preflight(self, attempt_id: int, tracks: Sequence[Track] = ("f1",)) -> Work:
        work = ledger.advance(
            self.db,
            self.lease(attempt_id),
            State.BUILDING,
            commit="c" * 40,
            entry="owl-1",
            tracks=tuple(tracks),
        )
        return ledger.advance(self.db, work, State.PREFLIGHT, environment=None, image="sha256:1")

    def queue(self, attempt_id: int, tracks: Sequence[Track] = ("f1",)) -> None:
        work = self.preflight(attempt_id, tracks)
        ledger.advance(self.db, work, State.QUEUED, can_chat=True, sandbox="bubblewrap")

    def run(self, attempt_id: int, tracks: Sequence[Track] = ("f1",)) -> Work:
        self.queue(attempt_id, tracks)
        return self.lease(attempt_id)

    def score(self, name: str, *, baseline: bool = False, **values: float) -> int:
        tracks: list[Any] = list(values)
        attempt_id = self.accept(name, baseline=baseline)
        work = self.run(attempt_id, tracks)
        ledger.score(self.db, work, {track: report(track, values[track]) for track in tracks})
        return attempt_id

    def attempt(self, attempt_id: int) -> Attempt:
        with self.db.read() as session:
            return session.get_one(Attempt, attempt_id)

    def state(self, attempt_id: int) -> State:
        return self.attempt(attempt_id).state

    def kinds(self, attempt_id: int) -> list[Kind]:
        with self.db.read() as session:
            chosen = select(QuotaEntry.kind).where(QuotaEntry.attempt_id == attempt_id)
            return list(session.scalars(chosen.order_by(QuotaEntry.id)))


def report(track: Track, value: float, *, n: int = 1450) -> Report:
    """A report as a run in a sandbox makes it."""
    ppl = track == "ppl"
    return Report(
        track=track,
        score=Score(value=value, low=value * 0.9, high=value * 1.1, n=n),
        signature=str(Signature(track=track, data="d" * 64)),
        sandbox="bubblewrap",
        totals=(Total(value, 1.0), Total(value, 2.0)),
        tokens=16_155 if ppl else None,
        unknown=149 if ppl else None,
        vocabulary=4_487 if ppl else None,
        seconds=12.5,
        agent={"harness": "0.1.0"},
    )
