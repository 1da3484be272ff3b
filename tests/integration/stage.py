"""A whole installation of its own for one test: home, competition, data, teams, processes.

Leases and periods are 30 times shorter than in earnest. The processes are the real ones, found
again by their ids and ended by them.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.data import fbdialog, sample
from leaderboard import competition, datasets, ledger
from leaderboard.states import State

PERIODS = {
    "ROSTRUM_HEARTBEAT_SECONDS": "0.5",
    "ROSTRUM_LOST_SECONDS": "3",
    "ROSTRUM_BEAT_SECONDS": "2",
    "ROSTRUM_RETRY_SECONDS": "0.1",
    "ROSTRUM_REAP_SECONDS": "2",
}

COMPETITION = """\
schema = 1
[competition]
id = "life"
title = "Life of an attempt"
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
load = {load}
batch = {batch}
bank = 1.0
total = 60.0
memory = 1073741824
repo_bytes = 1000000
repo_files = 100
[preflight]
dialogues = 2
"""

AGENT = """\
class Agent:
    def respond(self, contexts):
        return ["i like to talk about it ." for _ in contexts]

    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in row] for row in candidates]
"""

EVAL = """\
from harness import eval_{track}
from agent import Agent

if __name__ == "__main__":
    eval_{track}(Agent)
"""


def good(*tracks: str, agent: str = AGENT) -> dict[str, str]:
    """The files of a submission that enters these tracks."""
    return {"agent.py": agent} | {f"eval_{t}.py": EVAL.format(track=t) for t in tracks}


def variables(
    base: Path, *, database: str | None = None, broker: str | None = None
) -> dict[str, str]:
    """The environment of an installation: this one's, but for what it decides itself.

    Without the URLs of a database and a broker, both are embedded.
    """
    urls = {"ROSTRUM_DATABASE_URL": database, "ROSTRUM_BROKER_URL": broker}
    kept = ("ROSTRUM_SANDBOX_DIR", "ROSTRUM_CACHE_DIR", "ROSTRUM_BASE_IMAGE")
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("ROSTRUM_") or k in kept},
        **PERIODS,
        "ROSTRUM_HOME": str(base / "home"),
        "ROSTRUM_LOCAL_REPOS": str(base / "repos"),
        **{name: url for name, url in urls.items() if url},
    }


@dataclass
class Stage:
    """One installation below `base`; `variables` is the environment of all its processes."""

    base: Path
    sandbox: str
    variables: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def build(
        cls,
        base: Path,
        sandbox: str,
        *,
        load: float = 10.0,
        batch: float = 5.0,
        database: str | None = None,
        broker: str | None = None,
    ) -> "Stage":
        """A new installation, embedded or over the servers at these URLs."""
        stage = cls(base, sandbox, variables(base, database=database, broker=broker))
        (base / "repos").mkdir(parents=True)
        (base / "data").mkdir()
        toml = base / "competition.toml"
        toml.write_text(COMPETITION.format(sandbox=sandbox, load=load, batch=batch), "utf-8")
        made = sample.make(7)
        for split, count in (("train", 40), ("valid", 6), ("test", 6)):
            dialogues = getattr(made, split)[:count]
            fbdialog.write(base / "data" / f"{split}.txt", dialogues)
        stage.rostrum("admin", "init")
        stage.rostrum("admin", "competition", "load", str(toml))
        for split in ("train", "valid", "test"):
            hidden = ["--hidden"] if split == "test" else []
            file = str(base / "data" / f"{split}.txt")
            stage.rostrum("admin", "data", "import", file, "--role", split, *hidden)
        stage.rostrum("admin", "data", "dictionary")
        return stage

    def copied(
        self, base: Path, *, database: str | None = None, broker: str | None = None
    ) -> "Stage":
        """The same installation at another place; `database` holds a copy of this one's."""
        shutil.copytree(self.base, base)
        return Stage(base, self.sandbox, variables(base, database=database, broker=broker))

    @cached_property
    def db(self) -> ledger.Database:
        """The installation's database, as its processes know it."""
        embedded = f"sqlite:///{self.base / 'home' / 'rostrum.db'}"
        return ledger.open_database(self.variables.get("ROSTRUM_DATABASE_URL", embedded))

    @property
    def house(self) -> str:
        """The end of the names of this installation's cells."""
        secret = competition.secret(self.db, "life")
        name = datasets.hidden_name(self.db, "life", "test").encode("ascii")
        return hashlib.sha256(secret + name).hexdigest()[:8]

    def rostrum(self, *arguments: str) -> str:
        """The output of one command that must succeed."""
        done = subprocess.run(
            [_rostrum(), *arguments],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rostrum_json(self, *arguments: str) -> Any:
        """The document that a command prints with `--json`."""
        return json.loads(self.rostrum(*arguments, "--json"))

    def team(self, name: str, files: dict[str, str]) -> int:
        """A team with a private repository of these files; its id."""
        repo = self.base / "repos" / name
        repo.mkdir()
        for file, content in files.items():
            target = repo / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, "utf-8")
        return self._registered(name, repo)

    def team_from(self, name: str, folder: Path) -> int:
        """A team whose repository holds a copy of `folder`."""
        repo = self.base / "repos" / name
        shutil.copytree(folder, repo)
        return self._registered(name, repo)

    def submit(self, team_id: int, ref: str = "main") -> int:
        """The attempt of an accepted submission; the beat hints at it."""
        return ledger.accept(self.db, team_id=team_id, ref=ref).attempt_id

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the long commands in a session of its own, its output in a log."""
        log = (self.base / f"{arguments[0]}-{len(self.running)}.log").open("wb")
        process = subprocess.Popen(
            [_rostrum(), *arguments],
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.running.append(process)
        return process

    def shown(self, attempt_id: int) -> Any:
        """The newest attempt's document; attempts and submissions are numbered alike here."""
        return self.rostrum_json("admin", "submissions", "show", str(attempt_id))

    def state(self, attempt_id: int) -> State:
        """The state that the newest event led to."""
        return ledger.timeline(self.db, attempt_id)[-1].target

    def wait(self, attempt_id: int, *states: State, seconds: float = 90) -> State:
        """Wait until the attempt is in one of these states."""
        deadline = time.monotonic() + seconds
        while (state := self.state(attempt_id)) not in states:
            assert time.monotonic() < deadline, f"attempt {attempt_id} is {state}: {self.logs()}"
            time.sleep(0.1)
        return state

    def quota(self, attempt_id: int) -> list[str]:
        """The kinds of the attempt's quota entries, in order."""
        from sqlalchemy import text

        with self.db.read() as session:
            rows = session.execute(
                text("SELECT kind FROM quota_entries WHERE attempt_id = :id ORDER BY id"),
                {"id": attempt_id},
            )
            return [str(row[0]) for row in rows]

    def logs(self) -> str:
        """The ends of what the processes said."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-3000:]}"
            for path in sorted(self.base.glob("*.log"))
        )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and its children at once, as a machine that loses power would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def close(self) -> None:
        """End what still runs, politely, then by force."""
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.kill(process)
        if "db" in vars(self):
            self.db.close()

    def _registered(self, name: str, repo: Path) -> int:
        for arguments in (
            ("init", "--quiet", "--initial-branch=main"),
            ("add", "--all", "--force"),
            ("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "work"),
        ):
            subprocess.run(["git", "-C", str(repo), *arguments], check=True, timeout=60)
        added = self.rostrum_json("admin", "teams", "add", name, "--repo", str(repo))
        return int(added["team"]["id"])


def _rostrum() -> str:
    return str(Path(sys.executable).with_name("rostrum"))
