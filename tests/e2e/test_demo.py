"""`rostrum demo` on a small set, with so few steps that its scores mean nothing.

Each sandbox has a run that ends by itself; one has a second, which serves the board until Ctrl-C.
What is looked at is what a person gets: the file, the page, an exit status, and a machine as it was
before.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.data import sample
from harness.text import split_words

RANKED = {
    "ranker": {"hits", "f1"},
    "kvmemnn": {"hits", "f1"},
    "seq2seq": {"hits", "f1", "ppl"},
    "lm": {"hits", "f1", "ppl"},
}
SANITY = {
    "tfidf-retrieval": {"hits", "f1"},
    "repeat-partner": {"hits", "f1"},
    "random-reply": {"hits", "f1"},
    "constant-words": {"f1"},
    "word-frequency": {"ppl"},
}
"""The tracks that each entry of the demo enters; sanity entries are not ranked."""

SIZES = {"train": 60, "valid": 8, "test": 8}
RUN_SECONDS = 600


@dataclass(frozen=True)
class Ground:
    """Where the demo of one sandbox runs: its data, its cache, its two outputs."""

    sandbox: str
    data: Path
    variables: dict[str, str]
    out: Path

    def command(self, *options: str) -> list[str]:
        rostrum = str(Path(sys.executable).with_name("rostrum"))
        people = ["--people"] if self.people else []
        fixed = ["demo", "--data", str(self.data), "--sandbox", self.sandbox, "--seed", "3"]
        return [rostrum, *fixed, "--updates", "2", "--json", str(self.out), *options, *people]

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.document()["rows"]
        return rows

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out.read_text("utf-8"))
        return document

    @property
    def people(self) -> bool:
        """Whether this demo goes on with people; one sandbox suffices for that."""
        return self.sandbox == "bubblewrap"

    def left(self) -> list[str]:
        """Processes of this demo that still run."""
        mark = self.variables["ROSTRUM_CACHE_DIR"].encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                ours = mark in (place / "environ").read_bytes()
                alive = (place / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            except OSError:
                continue
            if ours and alive and place.name != str(os.getpid()):
                found.append((place / "cmdline").read_text().replace("\0", " "))
        return found


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ],
)
def ground(request: pytest.FixtureRequest, workshop: Path) -> Ground:
    usual = Path(os.environ.get("ROSTRUM_CACHE_DIR") or Path.home() / ".cache" / "rostrum")
    cache = workshop / "cache"
    if (usual / "wheels").is_dir() and not (cache / "wheels").exists():
        (cache / "wheels").symlink_to(usual / "wheels")
    variables = {**os.environ, "ROSTRUM_CACHE_DIR": str(cache)}
    return Ground(request.param, workshop / "data", variables, workshop / "demo.json")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and an empty cache: what the first demo trains, the one in the other sandbox has."""
    base = tmp_path_factory.mktemp("demo")
    full = sample.make(5)
    splits = {split: getattr(full, split)[:count] for split, count in SIZES.items()}
    sample.Sample(**splits).write(base / "data")
    (base / "cache").mkdir()
    return base


@pytest.mark.timeout(2 * RUN_SECONDS)
def test_the_demo_from_data_to_a_board(ground: Ground) -> None:
    first = subprocess.run(
        ground.command("--no-serve"),
        env=ground.variables,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    assert "\x1b" not in first.stdout
    assert ground.left() == []
    rows = ground.rows()
    check_rows(rows, sandbox=ground.sandbox)
    if not ground.people:
        return
    check_people(ground.document()["people"], said=first.stdout)
    ground.out.unlink()
    output = served(ground)
    assert output.count("trained before") == len(rows)
    assert "Rank" in output
    assert ground.left() == []
    assert plain(ground.rows()) == plain(rows)


def check_rows(rows: list[dict[str, Any]], *, sandbox: str) -> None:
    """The shape that the file promises, and counts that are counted here again."""
    examples = [e for dialogue in hidden_set() for e in dialogue.examples]
    words = sum(len(split_words(example.replies[0])) for example in examples)
    entered = {row["entry"]: set(row["tracks"]) for row in rows}
    assert entered == RANKED | SANITY
    for row in rows:
        assert set(row) == {"entry", "team", "rank", "baseline", "tracks"}
        sanity = row["entry"] in SANITY
        assert row["baseline"] is sanity
        assert (row["rank"] is None) is sanity
        for track, score in row["tracks"].items():
            assert score["n"] == len(examples)
            assert score["low"] <= score["value"] <= score["high"]
            assert score["sandbox"] == sandbox
            assert score["signature"].startswith(f"track:{track}|")
            if track == "ppl":
                assert 0 < score["tokens"] <= words
                assert score["vocabulary"] > 4
            else:
                assert 0 <= score["value"] <= 1
    ranks = [row["rank"] for row in rows if row["rank"] is not None]
    assert ranks == sorted(ranks)


def check_people(people: dict[str, Any], *, said: str) -> None:
    """Who can be talked to, the link, and how to serve it again once the demo has ended."""
    finalists = {line["entry"] for line in people["finalists"]}  # the best three of each track
    assert {"seq2seq", "lm"} < finalists <= set(RANKED)  # ppl has no others
    assert all(line["passed_over"] is None for line in people["finalists"])
    assert re.fullmatch(r"[0-9a-f]{64}", people["protocol_sha256"])
    assert f"Rate one yourself: {people['link']}" in said
    port = re.match(r"http://127\.0\.0\.1:(\d+)/rate/", people["link"])
    assert port is not None
    again = rf"^.*\bROSTRUM_HOME=/\S+ .*rostrum serve --host 127\.0\.0\.1 --port {port[1]}$"
    assert re.search(again, said, flags=re.M)


def talked_to(link: str) -> None:
    """One message to a finalist, by the page's own forms, answered by the demo's worker."""
    page = urllib.request.urlopen(f"{link}/start", data=b"", timeout=20)
    with page:
        chat, _, tab = page.geturl().partition("?tab=")
    state = await_news(chat, tab, until=lambda seen: seen["may_write"])
    assert state["turns"] == []
    form = {"client_id": "0123456789abcdef", "text": "hello", "tab": tab}
    urllib.request.urlopen(
        f"{chat}/turns", data=urllib.parse.urlencode(form).encode(), timeout=20
    ).close()
    state = await_news(chat, tab, until=lambda seen: len(seen["turns"]) == 2)
    assert [turn["speaker"] for turn in state["turns"]] == ["rater", "partner"]


def await_news(chat: str, tab: str, *, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The chat's state as soon as it is as wanted."""
    deadline = time.monotonic() + 60
    version = 0
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{chat}/events?after={version}&tab={tab}", timeout=60) as it:
            state: dict[str, Any] = json.loads(it.read())
        if until(state):
            return state
        version = state["version"]
    pytest.fail(f"the chat did not come so far: {state}")


def hidden_set() -> Any:
    """The hidden set of the demo above."""
    return sample.make(5).test[: SIZES["test"]]


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without what a hidden set's fresh nonce changes."""
    text = re.sub(r"data:[0-9a-f]{12}", "data", json.dumps(rows))
    plainer: list[dict[str, Any]] = json.loads(text)
    return plainer


def served(ground: Ground) -> str:
    """Run the demo until it serves, read its page as a browser would, end it by Ctrl-C."""
    process = subprocess.Popen(
        ground.command(),
        env=ground.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: list[str] = []
    begin = time.monotonic()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"The board: (http://127\.0\.0\.1:\d+/)", line):
                break
        else:
            pytest.fail("".join(lines))
        assert time.monotonic() - begin < 180
        with urllib.request.urlopen(found[1], timeout=20) as answer:
            page = answer.read().decode("utf-8")
        assert "DEMO" in page.upper()
        assert "ranker" in page
        if ground.people:
            talked_to(ground.document()["people"]["link"])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        lines.append(process.stdout.read())
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
        process.stdout.close()
    return "".join(lines)
