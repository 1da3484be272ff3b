"""The demo, told in order: set up, train, submit, wait, show."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from worker.demo import competition, repos, site
from worker.demo.plan import ENTRIES, SPLITS, Entry, Plan
from worker.demo.shell import CommandFailedError, Shell
from worker.demo.show import Show

WAIT_SECONDS = 3600.0
"""How long the submissions may take in all; the attempts have closer deadlines of their own."""

_POLL_SECONDS = 0.5
_KEYS = ("value", "low", "high", "n", "signature", "sandbox", "tokens", "vocabulary", "note")


@dataclass(frozen=True, slots=True)
class Submitted:
    """One entry on its way: the id of its submission."""

    entry: Entry
    number: int


@contextmanager
def opened(
    plan: Plan, *, port: int | None, extra: Mapping[str, str] | None = None
) -> Iterator[tuple[Shell, str]]:
    """An empty stage for the plan, its commands, and the site's address; all ended at the end.

    `extra` are further settings of all commands.
    """
    plan.stage.mkdir(parents=True, exist_ok=True)
    with _alone(plan.stage):
        home, logs = plan.stage / "home", plan.stage / "logs"
        for folder in (home, logs):
            shutil.rmtree(folder, ignore_errors=True)
        logs.mkdir()
        plan.repos.mkdir(parents=True, exist_ok=True)
        plan.repos.chmod(0o700)
        with Shell({**_variables(plan, home), **(extra or {})}, logs) as shell:
            yield shell, f"http://{site.HOST}:{site.free_port(port)}"


def compete(plan: Plan, shell: Shell, url: str, show: Show) -> dict[str, Any]:
    """Everything up to the scores; the board as the site shows it."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        prepared = beside.submit(prepare, plan, shell, show)
        try:
            set_up(plan, shell, show)
            for entry in ENTRIES:
                _train(plan, entry, shell, show)
            with show.step("Waiting for the sandbox's runtime"):
                prepared.result()
        except BaseException:
            shell.end()
            raise
    _start(shell, url, show)
    submitted = [_submit(plan, entry, shell, url) for entry in ENTRIES]
    show.say(f"Submitted {len(submitted)} entries by the API; follow them at {url}/")
    _wait(submitted, shell, url, show)
    board: dict[str, Any] = site.ask(url, "/api/v1/board")
    return board


def rows(board: dict[str, Any], shell: Shell) -> list[dict[str, Any]]:
    """The board's rows in its order, with unrounded values from the organizer's command."""
    return [_row(row, shell) for row in board["rows"]]


def _row(row: dict[str, Any], shell: Shell) -> dict[str, Any]:
    shown = shell.json("admin", "submissions", "show", str(row["submission"]))
    tracks = {
        track: {key: score[key] for key in _KEYS if key in score}
        for track, score in shown["scores"].items()
    }
    head = {key: row[key] for key in ("entry", "team", "rank", "baseline")}
    return {**head, "tracks": tracks}


def _variables(plan: Plan, home: Path) -> dict[str, str]:
    """The environment of every command: this one's, but for what the demo decides itself."""
    ours = ("ROSTRUM_CACHE_DIR", "ROSTRUM_SANDBOX_DIR", "ROSTRUM_BASE_IMAGE")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("ROSTRUM_") or key in ours
    }
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "ROSTRUM_COMPETITION": plan.competition_id,
        "ROSTRUM_HOME": str(home),
        "ROSTRUM_LOCAL_REPOS": str(plan.repos),
    }


@contextmanager
def _alone(stage: Path) -> Iterator[None]:
    """Hold the stage: two demos of the same data, seed and sandbox would share a database."""
    with (stage / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "a demo of the same data, seed and sandbox is running; end it, or choose "
                "another --seed"
            ) from None
        yield


def prepare(plan: Plan, shell: Shell, show: Show) -> None:
    """The sandbox's runtime, beside the training; what takes long says so."""
    base = ("--make-base",) if plan.sandbox == "docker" else ()
    shell.follow("worker", "--prepare", "--sandbox", plan.sandbox, *base, each=show.say)


def set_up(plan: Plan, shell: Shell, show: Show) -> None:
    """Secrets, database, competition, data sets."""
    with show.step("Secrets, database, competition") as step:
        shell.run("admin", "init")
        toml = plan.stage / "competition.toml"
        text = competition.toml(
            competition_id=plan.competition_id,
            title=f"Rostrum demo, seed {plan.seed}, {plan.sandbox}",
            sandbox=plan.sandbox,
        )
        toml.write_text(text, "utf-8")
        seed = ("--demo", "--seed", str(plan.seed))
        shell.run("admin", "competition", "load", str(toml), *seed)
        step.result = plan.competition_id
    with show.step("Data sets: train, valid, test (hidden), dictionary") as step:
        for split in SPLITS:
            hidden = ("--hidden",) if split == "test" else ()
            file = str(plan.split(split))
            shell.run("admin", "data", "import", file, "--role", split, *hidden)
        made = shell.json("admin", "data", "dictionary")["data_set"]
        step.result = f"{made['entries']} entries in the dictionary"


def _train(plan: Plan, entry: Entry, shell: Shell, show: Show) -> None:
    """The entry as a submission folder in a private repository; kept ones are used again."""
    if plan.repo(entry).is_dir():
        show.say(f"{entry.name}: trained before with this data, seed and recipe")
        return
    verb = "Making" if entry.sanity else "Training"
    with show.step(f"{verb} {entry.name}") as step:
        checkpoint, folder = plan.checkpoint(entry), plan.folder(entry)
        for old in (checkpoint, folder):
            shutil.rmtree(old, ignore_errors=True)
        updates = plan.updates_of(entry)
        short = ("--updates", str(updates)) if updates else ()
        where = ("--data", str(plan.data), "--out", str(checkpoint))
        seed = ("--seed", str(plan.seed))
        shell.follow("train", entry.name, *where, *seed, *short, each=step.busy)
        shell.run("new", str(folder), "--like", entry.name, "--checkpoint", str(checkpoint))
        repos.make(plan.repo(entry), folder)


def _start(shell: Shell, url: str, show: Show) -> None:
    port = url.rpartition(":")[2]
    with show.step("Starting site, worker and beat") as step:
        shell.start("site", "serve", "--host", site.HOST, "--port", port)
        shell.start("worker", "worker", "--concurrency", str(competition.CELLS_AT_A_TIME))
        shell.start("beat", "beat")
        site.wait_until_up(url, shell)
        step.result = url


def _submit(plan: Plan, entry: Entry, shell: Shell, url: str) -> Submitted:
    """A team of its own, and its repository's commit handed in with the team's token."""
    repo = plan.repo(entry)
    baseline = ("--baseline",) if entry.sanity else ()
    team = f"team-{entry.name}"
    added = shell.json("admin", "teams", "add", team, "--repo", str(repo), *baseline)
    commit = repos.make(repo, plan.folder(entry))
    document = shell.json(
        "submit", "--site", url, "--ref", commit, extra={"ROSTRUM_TOKEN": added["token"]}
    )
    return Submitted(entry, int(document["id"]))


def _wait(submitted: list[Submitted], shell: Shell, url: str, show: Show) -> None:
    """Say each change of state until all have ended; an error unless every one was scored."""
    deadline = time.monotonic() + WAIT_SECONDS
    states: dict[str, dict[str, Any]] = {}
    with show.step("Preflights and scoring") as step:
        while len([one for one in states.values() if one["final"]]) < len(submitted):
            if time.monotonic() > deadline:
                raise CommandFailedError(f"not all entries were scored in {WAIT_SECONDS:.0f} s")
            shell.expect_alive()
            time.sleep(_POLL_SECONDS)
            for one in submitted:
                name = one.entry.name
                if states.get(name, {}).get("final"):
                    continue
                seen = site.ask(url, f"/api/v1/submissions/{one.number}")
                if seen["state"] != states.get(name, {}).get("state"):
                    show.say(f"{name}: {seen['state']}")
                states[name] = seen
            busy = (f"{name} {seen['state']}" for name, seen in states.items() if not seen["final"])
            step.busy(", ".join(busy))
        step.result = f"{len(submitted)} ended"
    for name, seen in states.items():
        if seen["state"] != "scored":
            raise CommandFailedError(
                f"{name} was not scored: {json.dumps(seen.get('verdict'))}",
                hint=f"The worker's log: {shell.logs / 'worker.log'}",
            )
