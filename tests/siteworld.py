"""A small, realistic database for the tests of the site, made through the ledger's functions."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from harness.agent import Track
from harness.errors import OperatorError, SubmissionError
from harness.report import Report, Score, Signature
from leaderboard import competition, ledger, teams
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create
from leaderboard.db.models import Attempt
from leaderboard.states import State

TOML = """
schema = 1
[competition]
id = "{id}"
title = "{title}"
[[phase]]
name = "final"
opens = 2026-11-01T00:00:00Z
closes = 2026-12-01T00:00:00Z
[tracks.hits]
candidates = 20
[tracks.f1]
[tracks.ppl]
"""

HOSTILE_ENTRY = "\x1b[31mred\u202egnp.exe<script>alert(1)</script>"

LOG = "Traceback: \x1b[2J CANARY-LOG <b>bold</b>\n"

SHAPES: dict[Track, dict[str, str | int | None]] = {
    "hits": {"k": 1, "candidates": 20},
    "f1": {},
    "ppl": {"zero": "infinite", "vocabulary": "93b7e1f0a2c4" + "0" * 52},
}


@dataclass
class Clock:
    """A clock that tests move by hand."""

    moment: datetime = datetime(2026, 11, 20, 20, 40, tzinfo=UTC)

    def __call__(self, _session: Session) -> datetime:
        return self.moment

    def pass_(self, **span: float) -> None:
        """Let time pass, as `timedelta` takes it."""
        self.moment += timedelta(**span)


@dataclass
class World:
    """One competition with teams whose tokens are known."""

    db: Database
    clock: Clock
    competition_id: str
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    submissions: dict[str, int] = field(default_factory=dict)

    def team(self, name: str, *, baseline: bool = False) -> None:
        """Add a team."""
        added = teams.add(
            self.db,
            self.competition_id,
            name=name,
            repo_url=f"ssh://git@git.example/secret-{len(self.ids)}.git",
            branch="main",
            baseline=baseline,
        )
        self.tokens[name] = added.token
        self.ids[name] = added.team.id

    def submit(self, name: str, *, ref: str = "main", baseline: bool = False) -> int:
        """A submission of a team (added if new); the attempt's id."""
        if name not in self.ids:
            self.team(name, baseline=baseline)
        accepted = ledger.accept(self.db, team_id=self.ids[name], ref=ref)
        self.submissions[name] = accepted.submission_id
        return accepted.attempt_id

    def to(
        self,
        attempt: int,
        state: State,
        *,
        entry: str = "",
        tracks: tuple[Track, ...] = ("hits", "f1"),
        log: bool = False,
    ) -> ledger.Work:
        """Lead a received attempt to a later state as a worker does."""
        with self.db.read() as session:
            due = session.get_one(Attempt, attempt).not_before
        self.clock.moment = max(self.clock.moment, due or self.clock.moment)
        work = ledger.lease(self.db, attempt, worker="w1")
        assert work is not None
        self.clock.pass_(seconds=2.4)
        if state is State.FETCHING:
            return work
        commit = hashlib.sha1(str(attempt).encode()).hexdigest()
        work = ledger.advance(
            self.db, work, State.BUILDING, commit=commit, tracks=tracks, entry=entry
        )
        self.clock.pass_(seconds=0.3)
        if state is State.BUILDING:
            return work
        work = ledger.advance(self.db, work, State.PREFLIGHT, sandbox="docker", image="sha256:1")
        self.clock.pass_(seconds=21)
        if log:
            ledger.keep_log(self.db, work, name=tracks[0], text=LOG)
        if state is State.PREFLIGHT:
            return work
        work = ledger.advance(self.db, work, State.QUEUED, can_chat=True)
        self.clock.pass_(seconds=1.2)
        if state is State.QUEUED:
            return work
        running = ledger.lease(self.db, attempt, worker="w1")
        assert running is not None
        self.clock.pass_(minutes=2, seconds=11)
        return running

    def scored(
        self,
        name: str,
        scores: Mapping[Track, tuple[float, float, float]],
        *,
        entry: str = "",
        baseline: bool = False,
    ) -> int:
        """A scored submission with (value, low, high) for each track; the attempt's id."""
        attempt = self.submit(name, baseline=baseline)
        work = self.to(attempt, State.RUNNING, entry=entry or name, tracks=tuple(scores))
        ledger.score(self.db, work, {track: report(track, *of) for track, of in scores.items()})
        return attempt

    def failed(self, name: str, error: SubmissionError | OperatorError, *, at: State) -> int:
        """A submission that failed in `at`; the attempt's id."""
        attempt = self.submit(name)
        late = at in (State.PREFLIGHT, State.RUNNING)
        work = self.to(attempt, at, entry=name, log=late)
        ledger.fail(self.db, work, error)
        return attempt


def report(track: Track, value: float, low: float, high: float) -> Report:
    """A report as the evaluator makes it, of the hidden set's size."""
    signature = Signature(track, data="5f0c6a1b2d3e" + "0" * 52, **SHAPES[track])  # type: ignore[arg-type]
    return Report(
        track=track,
        score=Score(value, low, high, 1450),
        signature=str(signature),
        sandbox="docker",
        tokens=16155 if track == "ppl" else None,
        unknown=149 if track == "ppl" else None,
        vocabulary=4487 if track == "ppl" else None,
    )


def empty(folder: Path, *, competition_id: str = "spc-2026", seed: int | None = None) -> World:
    """A database with one open competition and nobody in it; with a seed it is a demo."""
    clock = Clock()
    db = create(f"sqlite:///{folder / 'rostrum.db'}", clock=clock)
    title = "Synthetic Persona Chat, November"
    competition.load(db, TOML.format(id=competition_id, title=title), seed=seed)
    return World(db, clock, competition_id)


def full(folder: Path, *, seed: int | None = None) -> World:
    """A competition in full swing: ranks, a tie, baselines, failures, one at work, one waiting."""
    world = empty(folder, seed=seed)
    world.scored("ranker", {"hits": (0.3421, 0.3172, 0.3662), "f1": (0.1512, 0.1461, 0.1566)})
    world.scored("kvmemnn", {"hits": (0.2868, 0.2634, 0.3103), "f1": (0.1377, 0.1322, 0.1431)})
    world.scored(
        "seq2seq",
        {
            "hits": (0.0952, 0.0803, 0.1109),
            "f1": (0.1689, 0.1638, 0.1741),
            "ppl": (57.312, 55.021, 59.873),
        },
        entry="seq2seq with attention",
    )
    world.scored("Tuesday Club", {"hits": (0.2871, 0.263, 0.31), "f1": (0.1379, 0.132, 0.143)})
    world.scored(
        "<script>alert(1)</script>",
        {"hits": (0.0483, 0.0379, 0.06), "ppl": (float("inf"), float("inf"), float("inf"))},
        entry=HOSTILE_ENTRY,
    )
    world.scored(
        "constant-words", {"f1": (0.1961, 0.1903, 0.2017)}, baseline=True, entry="constant-words"
    )
    world.scored(
        "word-frequency", {"ppl": (201.48, 194.93, 208.31)}, baseline=True, entry="word-frequency"
    )
    world.failed("Night Shift", SubmissionError("crashed", detail="verb"), at=State.RUNNING)
    world.failed(
        "NaN & Sons",
        SubmissionError("invalid_prediction", detail="not_finite"),
        at=State.PREFLIGHT,
    )
    world.to(world.submit("Slow Loris"), State.RUNNING, entry="slow-loris")
    world.submit("Early Bird")
    world.clock.pass_(seconds=20)
    return world
