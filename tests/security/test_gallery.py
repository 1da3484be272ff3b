"""Every hostile submission of the gallery ends with its verdict, in every sandbox."""

import os
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cells import containers_of, load_agent

from harness.agent import Track
from harness.dialogue import Dialogue, Example
from harness.errors import VERDICTS, RostrumError, SubmissionError
from harness.evaluation import evaluate
from harness.report import Report
from harness.text import Vocabulary
from worker.blame import judge
from worker.entry import entered
from worker.images import prepare
from worker.sandbox import Exit, Job, Limits, Sandbox
from worker.sandbox.choose import open_sandbox

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
SUBMISSIONS = sorted(path.parent.name for path in GALLERY.glob("*/expected.toml"))
AT_ONCE = 4

WORDS = ("turtles", "music", "the sea", "long walks", "old books")
DIALOGUES = tuple(
    Dialogue(
        id=str(number),
        persona=(f"i like {WORDS[number]} .",),
        examples=tuple(
            Example(
                partner=(f"do you like {word} ?",),
                replies=(f"{word} , yes",),
                candidates=tuple(f"{other} , yes" for other in WORDS),
            )
            for word in WORDS[number:]
        ),
    )
    for number in range(3)
)
VOCABULARY = Vocabulary.build(DIALOGUES, [])

SMALL = {
    "start": 30.0,
    "load": 30.0,
    "batch": 30.0,
    "bank": 1.0,
    "total": 60.0,
    "memory": 256 << 20,
    "cpus": 1.0,
    "pids": 48,
    "tmp": 8 << 20,
    "inodes": 500,
    "log_bytes": 8 << 10,
}


@dataclass(frozen=True)
class Ending:
    """What became of one submission: its verdict in words, and how its cell ended."""

    verdict: tuple[str, str | None]
    exit: Exit | None
    report: Report | None


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    ],
)
def endings(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Ending]]]:
    """Every submission, run once in this sandbox, several at a time."""
    name: str = request.param
    sandbox = open_sandbox(name, runtime=prepare(name, print))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(lambda submission: run(sandbox, submission), SUBMISSIONS)
        yield name, dict(zip(SUBMISSIONS, done, strict=True))


def run(sandbox: Sandbox, submission: str) -> Ending:
    """One submission through the doors of an attempt: track files, cell, evaluation, verdict."""
    folder = GALLERY / submission
    try:
        (track,) = entered(folder, offered=[expected(submission).get("track", "f1")])
        report, error, ended = evaluate_in(sandbox, folder, track, limits=limits_of(submission))
    except SubmissionError as refused:
        return Ending((refused.code, refused.detail), exit=None, report=None)
    verdict = judge(error, ended)
    if verdict is not None:
        return Ending((verdict.code, verdict.detail), exit=ended, report=None)
    return Ending(("scored", None), exit=ended, report=report)


def evaluate_in(
    sandbox: Sandbox, folder: Path, track: Track, *, limits: Limits, keep_log: bool = True
) -> tuple[Report | None, RostrumError | None, Exit]:
    """What the evaluation gave or raised, and the end of the cell."""
    job = Job(
        name=f"rostrum-gallery-{os.getpid()}-{folder.name}",
        fence=1,
        code=folder,
        track_file=f"eval_{track}.py",
        limits=limits,
        keep_log=keep_log,
        deadline_seconds=300,
        labels={"test": "gallery"},
    )
    vocabulary = VOCABULARY if track == "ppl" else None
    report, error = None, None
    with sandbox.start(job) as cell:
        try:
            cell.agent.load(
                track,
                vocabulary=vocabulary,
                load_seconds=limits.load,
                batch_seconds=limits.batch,
                bank_seconds=limits.bank,
                total_seconds=limits.total,
            )
            report = evaluate(cell.agent, DIALOGUES, track, vocabulary=vocabulary)
        except RostrumError as raised:
            error = raised
        return report, error, cell.finish()


def expected(submission: str) -> dict:
    return tomllib.loads((GALLERY / submission / "expected.toml").read_text("utf-8"))


def limits_of(submission: str) -> Limits:
    return Limits(**(SMALL | expected(submission).get("limits", {})))


@pytest.mark.parametrize("submission", SUBMISSIONS)
def test_each_submission_gets_its_verdict(
    endings: tuple[str, dict[str, Ending]], submission: str
) -> None:
    sandbox, found = endings
    page = expected(submission)
    wanted = page.get(sandbox, page["verdict"])
    ending = found[submission]
    log = ending.exit.log if ending.exit else ""
    assert ending.verdict == (wanted["code"], wanted.get("detail")), log


def test_nothing_is_left_behind(endings: tuple[str, dict[str, Ending]]) -> None:
    sandbox, found = endings
    assert all(ending.exit.gone for ending in found.values() if ending.exit)
    if sandbox == "docker":
        assert containers_of("rostrum.test=gallery") == []


def test_an_honest_agent_scores_the_same_inside_and_outside(
    endings: tuple[str, dict[str, Ending]],
) -> None:
    _, found = endings
    outside = evaluate(load_agent(GALLERY / "good"), DIALOGUES, "f1")
    inside = found["good"].report
    assert inside is not None
    assert (inside.score, inside.totals) == (outside.score, outside.totals)


def test_a_kept_log_is_the_bounded_end_of_what_was_printed(
    endings: tuple[str, dict[str, Ending]],
) -> None:
    _, found = endings
    assert "to stderr" in found["prints-noise"].exit.log
    assert "the weights are missing" in found["crash-at-import"].exit.log
    assert 0 < len(found["floods-stderr"].exit.log) <= SMALL["log_bytes"]


def test_every_folder_names_a_known_verdict() -> None:
    for submission in SUBMISSIONS:
        page = expected(submission)
        for table in (page["verdict"], *(page[name] for name in ("bubblewrap",) if name in page)):
            known = VERDICTS.get(table["code"])
            assert table["code"] == "scored" or known is not None, submission
            assert table.get("detail") is None or table["detail"] in known.details, submission
