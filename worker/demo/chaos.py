"""`rostrum demo --chaos`: a small competition to which the worst is done, and what held.

Toy agents are submitted by a round; while they run, workers are killed with SIGKILL at random
instants, the broker's file is removed, a second beat sweeps, and everything is killed at once, as
when a machine loses power. At the end `rostrum admin verify` looks at all that is left.
"""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard import ledger
from worker.demo import repos, story
from worker.demo.plan import Plan
from worker.demo.shell import CommandFailedError, Shell
from worker.demo.show import Show
from worker.demo.traces import traces

TEAMS = 6
KILLS = 6
WORKERS = ("worker-1", "worker-2")
BEATS = ("beat-1", "beat-2")
SETTLE_SECONDS = 180.0
GONE_SECONDS = 20.0
_POLL_SECONDS = 0.5

QUICK = {
    "ROSTRUM_HEARTBEAT_SECONDS": "0.5",
    "ROSTRUM_LOST_SECONDS": "3",
    "ROSTRUM_BEAT_SECONDS": "2",
    "ROSTRUM_REAP_SECONDS": "2",
    "ROSTRUM_RETRY_SECONDS": "1",
}
"""Leases and periods 30 times shorter than in earnest."""

AGENT = """\
import time


class Agent:
    def respond(self, contexts):
        time.sleep(0.2)
        return ["i like to talk about it ." for _ in contexts]

    def score_candidates(self, contexts, candidates):
        time.sleep(0.2)
        return [[float(len(text)) for text in row] for row in candidates]
"""

TRACK = """\
from agent import Agent
from harness import eval_{track}

if __name__ == "__main__":
    eval_{track}(Agent)
"""


@dataclass(frozen=True, slots=True)
class Outlived:
    """What is left: how the submissions ended, each invariant and its breaches, what still runs."""

    ended: Mapping[str, int]
    invariants: list[dict[str, Any]]
    left: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether every invariant held and nothing is left."""
        return not self.left and not any(one["broken"] for one in self.invariants)

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {"ended": self.ended, "invariants": self.invariants, "left": list(self.left)}


def outlive(plan: Plan, show: Show) -> Outlived:
    """Run the competition, do the worst to it, and look at what is left."""
    with story.opened(plan, port=None, extra=QUICK) as (shell, _):
        story.prepare(plan, shell, show)
        story.set_up(plan, shell, show)
        with show.step(f"{TEAMS} teams with a toy agent each") as step:
            _enter(plan, shell)
            step.result = "submitted by a round"
        for name in (*BEATS, *WORKERS):
            shell.start(name, name.partition("-")[0])
        _do_the_worst(plan, shell, show)
        with show.step("Waiting until every submission has ended"):
            ended = _wait(shell)
        with show.step("Looking at what is left") as step:
            outlived = Outlived(ended, _verified(shell), _traces(plan))
            step.result = "nothing runs" if not outlived.left else f"{len(outlived.left)} left"
    show.invariants([*outlived.invariants, _gone(outlived.left)])
    show.say("Ended: " + ", ".join(f"{count} {how}" for how, count in ended.items()))
    for trace in outlived.left:
        show.say(f"Left: {trace}")
    return outlived


def _gone(left: tuple[str, ...]) -> dict[str, Any]:
    """What no database knows, as one invariant more."""
    promise = "no container and no folder of a cell is left"
    return {"name": "gone", "promise": promise, "broken": len(left)}


def _enter(plan: Plan, shell: Shell) -> None:
    """Every team has a repository of its own; a round submits its branch."""
    for number in range(1, TEAMS + 1):
        tracks = ("f1",) if number % 2 else ("hits", "f1")
        folder = plan.stage / "entries" / "-".join(tracks)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "agent.py").write_text(AGENT, "utf-8")
        for track in tracks:
            (folder / f"eval_{track}.py").write_text(TRACK.format(track=track), "utf-8")
        repo = plan.repos / f"toy-{number}.git"
        repos.make(repo, folder)
        shell.run("admin", "teams", "add", f"toy-{number}", "--repo", str(repo))
    shell.run("admin", "round", "run")


def _do_the_worst(plan: Plan, shell: Shell, show: Show) -> None:
    draw = random.Random(plan.seed)  # noqa: S311  # when to strike, nothing secret
    for number in range(1, KILLS + 1):
        _wait_for_work(shell)
        time.sleep(draw.uniform(0.0, 2.0))
        victim = draw.choice(WORKERS)
        shell.kill(victim)
        show.say(f"Killed {victim} ({number} of {KILLS})")
        if number == KILLS // 2:
            for path in (plan.stage / "home").glob("broker.db*"):
                path.unlink()
            show.say("Removed the broker's file")
        shell.start(victim, "worker")
    for name in (*BEATS, *WORKERS):
        shell.kill(name)
    show.say("Killed everything at once, as a power failure would")
    for name in (*BEATS, *WORKERS):
        shell.start(name, name.partition("-")[0])


def _wait_for_work(shell: Shell) -> None:
    """Until a worker holds a submission, or none is open any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    waiting = {"received", "queued"}
    while True:
        shell.expect_alive()
        states = {line["state"] for line in _submissions(shell) if not line["final"]}
        if not states or states - waiting:
            return
        if time.monotonic() > deadline:
            raise CommandFailedError("no worker takes a submission")
        time.sleep(_POLL_SECONDS)


def _wait(shell: Shell) -> dict[str, int]:
    """How many submissions ended in which way, once all have."""
    deadline = time.monotonic() + SETTLE_SECONDS
    lines = _submissions(shell)
    while not all(line["final"] for line in lines):
        shell.expect_alive()
        if time.monotonic() > deadline:
            raise CommandFailedError(f"not every submission has ended in {SETTLE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
        lines = _submissions(shell)
    ended = Counter((line["verdict"] or {}).get("code", line["state"]) for line in lines)
    return dict(ended.most_common())


def _submissions(shell: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shell.json("admin", "submissions", "list")["submissions"]
    return found


def _verified(shell: Shell) -> list[dict[str, Any]]:
    document = shell.json("admin", "verify", "--settled", may_fail=True)
    invariants: list[dict[str, Any]] = document["invariants"]
    return invariants


def _traces(plan: Plan) -> tuple[str, ...]:
    """What is still there of this competition's cells after a while."""
    db = ledger.open_database(f"sqlite:///{Path(plan.stage / 'home' / 'rostrum.db')}")
    deadline = time.monotonic() + GONE_SECONDS
    try:
        while (found := traces(db, plan.competition_id)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    finally:
        db.close()
    return found
