"""A canary in the hidden set is nowhere that a team can look, whatever its submissions try.

Four real attempts in real cells print what they are shown, put it into files, errors, names of
processes and exit codes. Then everything else is searched: tables, pages and API for every role,
logs of all processes, the broker, the sandbox folder, the engine's images.
"""

import gzip
import json
import os
import sqlite3
import stat
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import stage as stages
from stage import Stage, good

from harness.data import sample
from harness.dialogue import Dialogue, Example
from leaderboard.states import State
from leaderboard.web.app import create_app
from worker.settings import from_environment

CANARY = "zqcanary"
TRACKS = ("hits", "f1", "ppl")

AGENT = """
import ctypes, logging, os, subprocess, sys, warnings
import numpy as np

CANARY = "zqc" + "anary"


class Agent:
    def see(self, *shown):
        text = repr(shown)
        if CANARY not in text:
            return
        print(text)
        print(text, file=sys.stderr)
        logging.error(text)
        warnings.warn(text)
        for place in ("/tmp", "/dev/shm", "/code", "/run/rostrum", "/opt/env", "."):
            try:
                open(f"{place}/zq" + "canary", "w").write(text)
            except OSError:
                pass
        ctypes.CDLL(None).prctl(15, CANARY.encode(), 0, 0, 0)
        subprocess.Popen(["/proc/self/exe", "-c", "import time; time.sleep(9)", text[:9000]])
        self.act(text)

    def act(self, text):
        ACT

    def respond(self, contexts):
        self.see(contexts)
        return ["i saw " + contexts[0].turns[-1].text[:100] for _ in contexts]

    def score_candidates(self, contexts, candidates):
        self.see(contexts, candidates)
        return [[float(len(text)) for text in row] for row in candidates]

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        self.see(contexts, prefixes)
        return np.ones((len(contexts), len(vocabulary)), np.float32)
"""

ACTS = {
    "prints": ("pass", TRACKS, State.SCORED),
    "raises": ("raise RuntimeError(text)", ("f1",), State.FAILED),
    "exits": ("sys.exit(text)", ("hits",), State.FAILED),
    "invalid": (
        "self.respond = lambda contexts: [text * 99] * len(contexts)",
        ("f1",),
        State.FAILED,
    ),
}


def planted() -> list[Dialogue]:
    """A hidden set in which every text of every kind bears the canary."""

    def example(number: int) -> Example:
        return Example(
            partner=(f"do you like {CANARY}partner{number} ?",),
            replies=(f"i like {CANARY}reply{number}", f"{CANARY}second{number}"),
            candidates=(
                *(f"{CANARY}candidate{number}x{other}" for other in range(19)),
                f"i like {CANARY}reply{number}",
            ),
        )

    return [
        Dialogue(
            id=f"{CANARY}id{place}",
            persona=(f"i am {CANARY}persona{place} .",),
            examples=tuple(example(10 * place + turn) for turn in range(3)),
        )
        for place in range(3)
    ]


@dataclass
class Run:
    """One installation whose attempts have ended; when it began, and what they were."""

    stage: Stage
    began: float
    attempts: dict[str, int] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base = tmp_path_factory.mktemp("canary") / "stage"
    made = sample.make(7)
    with pytest.MonkeyPatch.context() as patch:
        shown = SimpleNamespace(train=made.train, valid=made.valid, test=planted())
        patch.setattr(stages.sample, "make", lambda _: shown)
        built = Run(Stage.build(base, request.param), time.time())
    try:
        _work(built)
        yield built
    finally:
        built.stage.close()


def _work(run: Run) -> None:
    acts = ACTS if run.stage.sandbox == "bubblewrap" else dict([*ACTS.items()][:2])
    for name, (act, tracks, _) in acts.items():
        files = good(*tracks, agent=AGENT.replace("ACT", act))
        run.attempts[name] = run.stage.submit(run.stage.team(name, files))
    added = run.stage.rostrum_json("admin", "teams", "add", "onlooker", "--repo", "/none")
    run.tokens.append(added["token"])
    run.stage.start("beat")
    run.stage.start("worker", "--concurrency", "2")
    for name, (_, _, state) in acts.items():
        assert run.stage.wait(run.attempts[name], State.SCORED, State.FAILED) is state


def _holds(content: bytes) -> bool:
    """Whether the canary stands in these bytes, plainly or compressed."""
    found = [content]
    for unpack in (zlib.decompress, gzip.decompress):
        with suppress(Exception):  # most bytes are neither
            found.append(unpack(content))
    return any(CANARY.encode() in one.lower() for one in found)


def test_the_hidden_runs_did_see_it(run: Run) -> None:
    for name in run.attempts.keys() - {"prints"}:
        shown = run.stage.shown(run.attempts[name])
        assert shown["verdict"]["code"] in ("crashed", "invalid_prediction", "early_exit")
        assert run.stage.quota(run.attempts[name]) == ["reserve", "charge"]


def test_it_is_in_no_table_but_the_data_sets(run: Run) -> None:
    holding = set()
    with sqlite3.connect(run.stage.base / "home" / "rostrum.db") as base:
        names = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            for row in base.execute(f'SELECT * FROM "{table}"'):
                values = [one if isinstance(one, bytes) else str(one).encode() for one in row]
                if any(map(_holds, values)):
                    holding.add(table)
    assert holding == {"data_sets"}


def _addresses(run: Run) -> Iterator[str]:
    """Every address that can be asked for, with every value that fits."""
    values = {
        "submission_id": [str(number) for number in range(1, len(ACTS) + 2)],
        "competition_id": ["life", "life@1"],
        "token": ["none"],
        "conversation_id": ["1"],
        "filename": ["style.css"],
    }
    for rule in create_app(run.stage.db).url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            name = next(iter(rule.arguments), None)
            for value in values[name] if name else [""]:
                address = rule.rule
                for argument in rule.arguments:
                    kind = next(p for p in address.split("<")[1:] if argument in p).split(">")[0]
                    address = address.replace(f"<{kind}>", value)
                yield address


def test_it_is_on_no_page_and_in_no_answer_for_any_role(run: Run) -> None:
    client = create_app(run.stage.db).test_client()
    roles = [{}, *({"Authorization": f"Bearer {token}"} for token in run.tokens)]
    asked = 0
    for address in _addresses(run):
        for headers in roles:
            answer = client.get(address, headers=headers)
            asked += answer.status_code == 200
            assert not _holds(answer.get_data()), address
            assert not _holds(json.dumps(dict(answer.headers)).encode()), address
    assert asked > 10


def test_what_teams_and_organizers_are_told_by_command_holds_none(run: Run) -> None:
    for attempt in run.attempts.values():
        assert CANARY not in run.stage.rostrum("admin", "submissions", "show", str(attempt))
    assert CANARY not in run.stage.rostrum("admin", "submissions", "list")


def test_it_is_in_no_log_hint_or_file_of_the_installation(run: Run) -> None:
    ours = ("rostrum.db", "rostrum.db-wal", "rostrum.db-shm")
    given = run.stage.base / "data"
    for path in run.stage.base.rglob("*"):
        if path.is_file() and path.name not in ours and given not in path.parents:
            assert not _holds(path.read_bytes()), path
    assert "done: attempt=" in run.stage.logs()


def test_it_is_in_no_file_that_a_cell_can_see(run: Run) -> None:
    place = from_environment().sandbox_directory
    for folder, folders, names in _walk(place):
        folders[:] = [one for one in folders if folder != place or one != "runtime"]
        for path in (folder / name for name in names):
            with suppress(FileNotFoundError):  # another test's, gone by now
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and found.st_ctime > run.began:
                    assert not _holds(path.read_bytes()), path
                    assert CANARY not in path.name


def _walk(place: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, with paths."""
    for folder, folders, names in os.walk(place):
        yield Path(folder), folders, names


@pytest.mark.docker
def test_it_is_in_no_image_and_no_container_is_left(run: Run) -> None:
    images = _docker("image", "ls", "--no-trunc", "--quiet", "--filter", "label=rostrum.runtime")
    for image in set(images.split()):
        assert CANARY not in _docker("history", "--no-trunc", image).lower()
        assert CANARY not in _docker("image", "inspect", image).lower()
    names = _docker("ps", "--all", "--format", "{{.Names}}")
    assert f"-{run.stage.house}" not in names


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
