"""One installation with submissions in flight: what a fault is done to, and what is judged after.

Set up in this process, because a dozen commands would take longer than the fault itself; everything
that then runs is a real process. Leases and periods are 30 times shorter than in earnest.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from stage import AGENT, Stage, good, variables

from harness.data import sample
from leaderboard import competition, datasets, hints, ledger, teams
from leaderboard.admin.install import install
from leaderboard.db.models import Attempt
from leaderboard.invariants import INVARIANTS, broken
from leaderboard.states import STAGES, State
from worker.house import house
from worker.workplace import worker_name

QUICK = {
    "ROSTRUM_RETRY_SECONDS": "0.5",
    "OMP_NUM_THREADS": "1",
}

RULES = """\
schema = 1
[competition]
id = "{sandbox}"
title = "Faults, in {sandbox}"
sandbox = ["{sandbox}"]
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[tracks.hits]
[tracks.f1]
[tracks.ppl]
[limits]
start = 20.0
load = 20.0
batch = 10.0
bank = 1.0
total = 60.0
memory = 1073741824
repo_bytes = 1000000
repo_files = 100
[preflight]
dialogues = 2
"""

PACED = AGENT.replace("class Agent", "import time\n\nclass Agent").replace(
    "        return", "        time.sleep({pause})\n        return"
)
"""An agent that takes its time for each batch, so that a fault finds it at work."""

ENTERED = (("f1",), ("hits", "f1"))
SETTLE_SECONDS = 120.0
GONE_SECONDS = 20.0
_OPEN = tuple(state for state, stage in STAGES.items() if not stage.final)
_LEASED = tuple(state for state, stage in STAGES.items() if stage.leased)


@dataclass(frozen=True)
class Outcome:
    """What is left of a fault: how the submissions ended, what is broken, what is still there."""

    ended: Counter[str]
    broken: tuple[str, ...]
    left: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not self.broken and not self.left

    @property
    def invariants(self) -> str:
        """The names of the invariants that held."""
        gone = {sentence.partition(":")[0] for sentence in self.broken}
        held = [one.name for one in INVARIANTS if one.name not in gone]
        return " ".join([*held, *([] if self.left else ["gone"])])


@dataclass
class Scene:
    """An installation at `base`, with its competitions one for each sandbox."""

    base: Path
    sandboxes: tuple[str, ...]
    database: str | None = None
    broker: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    begun: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.base.mkdir(parents=True)
        (self.base / "repos").mkdir()
        with patch.dict(os.environ, self.stage.variables, clear=True):
            install()
            for sandbox in self.sandboxes:
                competition.load(self.db, RULES.format(sandbox=sandbox))
                _import(self.db, sandbox)

    @cached_property
    def stage(self) -> Stage:
        """Its processes."""
        chosen = variables(self.base, database=self.database, broker=self.broker)
        return Stage(self.base, self.sandboxes[0], {**chosen, **QUICK, **self.extra})

    @property
    def db(self) -> ledger.Database:
        return self.stage.db

    @cached_property
    def houses(self) -> tuple[str, ...]:
        """The ends of the names of this installation's cells."""
        return tuple(house(self.db, name, split="test") for name in self.sandboxes)

    def submit(self, count: int, *, pause: float = 0.1) -> list[int]:
        """So many submissions, each of a team of its own, spread over sandboxes and tracks."""
        made = [self._submitted(len(self.attempts) + n, pause) for n in range(count)]
        self.attempts += made
        return made

    def hint(self, attempts: Sequence[int]) -> None:
        """Tell the workers that these wait, as the site does."""
        with self.telling():
            self.tell(attempts)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """While the block runs, hints of this process, from any of its threads, go to this scene's
        broker."""
        with patch.dict(os.environ, self.stage.variables):
            yield

    def tell(self, attempts: Sequence[int]) -> None:
        """A hint for each of these that waits; inside of `telling`."""
        for hint in ledger.waiting(self.db):
            if hint.attempt_id in attempts:
                hints.send(hint.queue, hint.attempt_id)

    def states(self) -> Counter[str]:
        """How many attempts are in each state, those that failed by their verdict."""
        with self.db.read() as session:
            rows = session.query(Attempt.state, Attempt.verdict_code).all()
        return Counter(code or state.value for state, code in rows)

    def open(self) -> int:
        """How many attempts have not ended."""
        with self.db.read() as session:
            return session.query(Attempt).filter(Attempt.state.in_(_OPEN)).count()

    def held(self, worker: str | None = None) -> list[int]:
        """The attempts that a worker, or any, holds now."""
        with self.db.read() as session:
            chosen = session.query(Attempt.id).filter(Attempt.state.in_(_LEASED))
            if worker is not None:
                chosen = chosen.filter(Attempt.worker == worker)
            return [number for (number,) in chosen]

    def visits(self, state: State) -> int:
        """How often an attempt came into a state, in all."""
        lines = [line for one in self.attempts for line in ledger.timeline(self.db, one)]
        return sum(line.target is state and line.source is not None for line in lines)

    def codes(self) -> Counter[str]:
        """How often each code stands in the timelines."""
        lines = [line for one in self.attempts for line in ledger.timeline(self.db, one)]
        return Counter(line.code for line in lines if line.code)

    def losses(self) -> int:
        """How many losses the attempts have counted, in all."""
        with self.db.read() as session:
            return sum(count for (count,) in session.query(Attempt.losses))

    def wait(self, done: Callable[[], bool], *, what: str, seconds: float = 60.0) -> None:
        """Wait for something that must come."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"not {what}: {self.states()}\n{self.stage.logs()}"
            time.sleep(0.05)

    def working(
        self, workers: "Sequence[subprocess.Popen[bytes]]"
    ) -> "list[subprocess.Popen[bytes]]":
        """Those of the workers that hold an attempt at this instant; waits until there is one."""
        machine = worker_name().rpartition("-")[0]
        busy: list[subprocess.Popen[bytes]] = []

        def found() -> bool:
            busy[:] = [one for one in workers if self.held(f"{machine}-{one.pid}")]
            return bool(busy)

        self.wait(found, what="a worker at work")
        return busy

    def outcome(self, *, seconds: float = SETTLE_SECONDS, notes: Sequence[str] = ()) -> Outcome:
        """Wait until all have ended and nothing is left of them, then look at everything."""
        deadline = time.monotonic() + seconds
        while self._open_or_away() and time.monotonic() < deadline:
            time.sleep(0.1)
        deadline = time.monotonic() + GONE_SECONDS
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return Outcome(self.states(), tuple(broken(self.db)), tuple(left), tuple(notes))

    def left(self) -> list[str]:
        """Containers, processes and folders of cells of this installation."""
        return [*self._containers(), *self._processes(), *self._folders()]

    def close(self) -> None:
        """End what still runs."""
        self.stage.close()

    def _open_or_away(self) -> bool:
        """Whether an attempt is open, or the database is not to be asked just now."""
        try:
            return bool(self.open())
        except Exception:  # whatever a driver raises while its server is down
            return True

    def _submitted(self, number: int, pause: float) -> int:
        sandbox = self.sandboxes[number % len(self.sandboxes)]
        tracks = ENTERED[number // len(self.sandboxes) % len(ENTERED)]
        repo = self.base / "repos" / f"team-{number}"
        shutil.copytree(_repository(self.base, tracks, pause), repo)
        added = teams.add(
            self.db,
            sandbox,
            name=f"team-{number}",
            repo_url=str(repo),
            branch="main",
            baseline=False,
        )
        return ledger.accept(self.db, team_id=added.team.id, ref="main").attempt_id

    def _containers(self) -> list[str]:
        if "docker" not in self.sandboxes:
            return []
        names = [part for end in self.houses for part in ("--filter", f"name={end}")]
        listed = subprocess.run(
            ["docker", "ps", "--all", "--format", "container {{.Names}}", *names],
            env=self.stage.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return listed.stdout.splitlines() if listed.returncode == 0 else [listed.stderr.strip()]

    def _processes(self) -> list[str]:
        """Processes that see the tree of one of our submissions."""
        keys = [sha256(str(repo).encode()).hexdigest()[:16] for repo in self._repos()]
        found = []
        for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
            with contextlib.suppress(OSError):
                text = mounts.read_text()
                found += [f"process {mounts.parent.name}" for key in keys if key in text]
        return found

    def _folders(self) -> list[str]:
        root = Path(self.stage.variables.get("ROSTRUM_SANDBOX_DIR", "/var/tmp/rostrum-sandbox"))
        cells = (root / "cells").glob("rostrum-*") if root.is_dir() else iter(())
        return [
            f"folder {one.name}" for one in cells if any(end in one.name for end in self.houses)
        ]

    def _repos(self) -> list[Path]:
        return [path for path in (self.base / "repos").iterdir() if path.name.startswith("team-")]


@contextlib.contextmanager
def scene(
    base: Path,
    *sandboxes: str,
    database: str | None = None,
    broker: str | None = None,
    **extra: str,
) -> Iterator[Scene]:
    """A scene whose processes are ended at the end; `extra` goes into their environment."""
    made = Scene(base, sandboxes, database, broker, extra)
    try:
        yield made
    finally:
        made.close()


def _import(db: ledger.Database, name: str) -> None:
    made = sample.make(7)
    for split, count in (("train", 40), ("valid", 6), ("test", 6)):
        chosen = getattr(made, split)[:count]
        datasets.store(db, name, split, chosen, hidden=split == "test")
    datasets.make_dictionary(db, name)


def _repository(base: Path, tracks: Sequence[str], pause: float) -> Path:
    """A repository of an agent that enters these tracks, made once in this scene."""
    repo = base / "repos" / f"model-{'-'.join(tracks)}-{pause}"
    if repo.is_dir():
        return repo
    repo.mkdir()
    for name, text in good(*tracks, agent=PACED.replace("{pause}", str(pause))).items():
        (repo / name).write_text(text, "utf-8")
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all", "--force"),
        ("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "work"),
    ):
        subprocess.run(["git", "-C", str(repo), *arguments], check=True, timeout=60)
    return repo
