"""The life of a chat with real processes: talked, killed, late, doubled, moved to a new runtime."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from people import REPLY_SECONDS, Hall, Rater, names_of, runtime_of

from leaderboard import hints
from leaderboard.human import talk
from leaderboard.human.stages import ChatState
from leaderboard.states import Queue

WORKER = ("worker", "--queues", "converse", "--spares", "0")
KEEPER = ("worker", "--queues", "converse", "--spares", "1")


@pytest.fixture(scope="session")
def halls(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Hall]:
    """The hall of a sandbox, that no test runs anything in."""
    made: dict[str, Hall] = {}

    def of(sandbox: str) -> Hall:
        if sandbox not in made:
            base = tmp_path_factory.mktemp(f"hall-{sandbox}") / "stage"
            made[sandbox] = Hall.build(base, sandbox)
        return made[sandbox]

    return of


@pytest.fixture(
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def hall(
    request: pytest.FixtureRequest, halls: Callable[[str], Hall], tmp_path: Path
) -> Iterator[Hall]:
    """A fresh hall; no cell is left when its processes have ended."""
    made = halls(request.param).copied(tmp_path / "stage")
    yield made
    made.stage.close()
    assert made.cells() == []


def test_a_talk_of_three_turns_with_what_was_scored(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_HOME", hall.stage.variables["ROSTRUM_HOME"])
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.claim()
    assert hints.send(Queue.CONVERSE, rater.chat)
    view = rater.until(ChatState.OPEN)
    assert hall.image().startswith(runtime_of(hall, rater.chat))
    replies = [rater.ask(words) for words in ("hello", "how are you ?", "fine")]
    assert [reply.split(" | ")[0] for reply in replies] == [
        "1/0 new hello",
        "2/1 new how are you ?",
        "3/2 new fine",
    ]
    (persona,) = {reply.split(" | ")[1] for reply in replies}
    assert persona not in view.rater_persona
    rater.close()
    hall.empty(seconds=5)
    talk.judge_enjoyment(rater.db, rater.id, rater.chat, value=4)
    shown = rater.view().choices
    assert sum(persona in choice.persona for choice in shown) == 1
    talk.judge_persona(rater.db, rater.id, rater.chat, choice=shown[0].id)
    assert rater.view().state is ChatState.RATED


def test_a_cell_killed_between_turns_is_soon_told_and_the_rater_goes_on(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    first = rater.begin().id
    rater.ask("hello")
    hall.kill_cell(first)
    killed = time.monotonic()
    view = rater.until(ChatState.VOID, seconds=5)
    assert time.monotonic() - killed < 3
    assert view.void_code == "platform_error"
    assert view.sentence.startswith("The connection to your partner was lost.")
    hall.empty(seconds=5)
    assert rater.begin().id != first
    assert rater.ask("hello again").startswith("1/0 new hello again")


def test_a_cell_killed_during_a_reply_is_ours(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.begin()
    rater.say("sleep")
    time.sleep(0.5)
    hall.kill_cell(rater.chat)
    assert rater.until(ChatState.VOID, seconds=2).void_code == "platform_error"
    assert [turn.text for turn in rater.view().turns] == ["sleep"]


def test_a_reply_that_does_not_come_is_late_at_the_deadline(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.begin()
    rater.ask("hello")
    rater.say("sleep")
    view = rater.until(ChatState.VOID, seconds=REPLY_SECONDS + 2)
    assert view.sentence.startswith("Your partner has stopped answering.")
    state, code, detail, seconds = hall.end_of(rater.chat)
    assert (state, code, detail) == ("void", "model_error", "late")
    assert REPLY_SECONDS <= seconds < REPLY_SECONDS + 0.3
    hall.empty(seconds=5)


def test_an_agent_that_falls_over_on_the_second_turn_is_theirs(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.begin()
    rater.ask("hello")
    rater.say("fall over")
    rater.until(ChatState.VOID, seconds=REPLY_SECONDS)
    assert hall.end_of(rater.chat)[:3] == ("void", "model_error", "crashed")
    hall.empty(seconds=5)


def test_a_frozen_cell_is_found_by_the_deadline(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.begin()
    hall.freeze_cell(rater.chat)
    rater.say("hello")
    rater.until(ChatState.VOID, seconds=REPLY_SECONDS + 2)
    assert hall.end_of(rater.chat)[:3] == ("void", "model_error", "late")
    hall.empty(seconds=10)


def test_a_killed_worker_costs_the_rater_one_conversation(hall: Hall) -> None:
    hall.stage.start("beat")
    first = hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    lost = rater.begin().id
    rater.ask("hello")
    hall.stage.kill(first)
    killed = time.monotonic()
    hall.stage.start(*WORKER)
    view = rater.until(ChatState.VOID, seconds=15)
    assert time.monotonic() - killed < 10
    assert view.void_code == "worker_lost"
    assert view.turns[0].text == "hello"
    hall.empty(seconds=10)
    assert rater.begin().id != lost
    assert rater.ask("hello again").startswith("1/0 new hello again")


def test_a_conversation_that_waits_outlives_a_worker(hall: Hall) -> None:
    hall.stage.start("beat")
    (rater,) = hall.raters(1)
    rater.claim()
    time.sleep(1)
    assert rater.view().state is ChatState.WAITING
    hall.stage.start(*WORKER)
    rater.until(ChatState.OPEN)
    assert rater.ask("hello").startswith("1/0 new hello")


def test_a_worker_that_is_told_to_end_tells_the_raters_first(hall: Hall) -> None:
    worker = hall.stage.start(*WORKER)
    raters = hall.raters(2)
    for rater in raters:
        rater.begin()
    raters[0].ask("hello")
    raters[1].say("sleep")
    told = time.monotonic()
    worker.terminate()
    for rater in raters:
        assert rater.until(ChatState.VOID, seconds=3).void_code == "worker_lost"
    assert worker.wait(timeout=20) == 0
    assert time.monotonic() - told < 15
    assert hall.cells() == []


def test_ten_talk_at_once_and_each_hears_its_own_partner(hall: Hall) -> None:
    hall.stage.start(*WORKER)
    raters = hall.raters(10)

    def talks(rater: Rater) -> str:
        rater.begin(seconds=60)
        rater.ask(f"i am {rater.id}")
        return rater.ask(f"still {rater.id}")

    with ThreadPoolExecutor(10) as pool:
        heard = list(pool.map(talks, raters))
    assert [reply.split(" | ")[0] for reply in heard] == [f"2/1 new still {r.id}" for r in raters]
    if hall.stage.sandbox == "docker":
        assert len(hall.cells()) == 10
    for rater in raters:
        rater.close()
    hall.empty(seconds=20)


def test_after_an_upgrade_the_finalist_still_chats_from_what_was_scored(
    older: Callable[[Hall], str], hall: Hall
) -> None:
    digest = older(hall)
    hall.set_image(digest)
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.begin()
    assert digest.startswith(runtime_of(hall, rater.chat))
    assert rater.ask("hello").startswith("1/0 new hello")
    if hall.stage.sandbox == "docker":
        assert names_of(digest) == [f"rostrum-keep:{digest.removeprefix('sha256:')[:12]}"]


def test_a_runtime_that_is_gone_is_ours_and_soon_told(hall: Hall) -> None:
    missing = "0" * 64
    hall.set_image(f"sha256:{missing}" if hall.stage.sandbox == "docker" else missing)
    hall.stage.start(*WORKER)
    (rater,) = hall.raters(1)
    rater.claim()
    assert rater.until(ChatState.VOID, seconds=15).void_code == "platform_error"


def said(hall: Hall, words: str, *, times: int = 1) -> None:
    """Wait until the worker has logged these words so often."""
    deadline = time.monotonic() + 40
    log = hall.stage.base / "worker-0.log"
    while log.read_text("utf-8", "replace").count(words) < times:
        assert time.monotonic() < deadline, hall.stage.logs()
        time.sleep(0.05)


def kill(hall: Hall) -> None:
    """End every cell from outside."""
    for cell in hall.cells():
        if hall.stage.sandbox == "docker":
            subprocess.run(["docker", "kill", cell], check=True, capture_output=True, timeout=60)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(cell), signal.SIGKILL)


def test_the_partner_of_the_next_rater_is_ready_and_a_new_one_after_it(hall: Hall) -> None:
    hall.stage.start(*KEEPER)
    said(hall, "spare ready")
    first, second = hall.raters(2)
    first.begin()
    said(hall, f"ready at once: conversation={first.chat} ")
    assert first.ask("hello").startswith("1/0 new hello")
    said(hall, "spare ready", times=2)
    second.begin()
    said(hall, f"ready at once: conversation={second.chat} ")
    assert second.ask("you ?").startswith("1/0 new you ?"), "it has not heard the other rater"
    assert first.ask("and ?").startswith("2/1 new and ?")


def test_a_spare_that_was_killed_costs_nobody_anything(hall: Hall) -> None:
    hall.stage.start(*KEEPER)
    said(hall, "spare ready")
    kill(hall)
    said(hall, "no spare")
    (rater,) = hall.raters(1)
    rater.begin()
    assert rater.ask("hello").startswith("1/0 new hello")
    assert rater.view().state is ChatState.OPEN


@pytest.fixture
def older() -> Iterator[Callable[[Hall], str]]:
    """Makes a runtime like the one that scored, of another digest and without a name."""
    with contextlib.ExitStack() as undo:

        def make(hall: Hall) -> str:
            if hall.stage.sandbox == "docker":
                dockerfile = f"FROM {hall.image()}\nLABEL older={os.getpid()}\n"
                built = subprocess.run(
                    ["docker", "build", "--quiet", "-"],
                    input=dockerfile,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=60,
                )
                digest = built.stdout.strip()
                undo.callback(
                    subprocess.run,
                    ["docker", "rmi", "--force", digest],
                    capture_output=True,
                    check=True,
                )
                return digest
            root = Path(os.environ.get("ROSTRUM_SANDBOX_DIR") or "/var/tmp/rostrum-sandbox")
            digest = f"{os.getpid():016x}" + "0" * 48
            copy = root / "runtime" / digest[:16]
            shutil.copytree(
                root / "runtime" / hall.image()[:16], copy, symlinks=True, copy_function=os.link
            )
            undo.callback(shutil.rmtree, copy)
            return digest

        yield make
