"""The host: who is leased, who is asked, who is told; with a real database and played cells."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import humanworld
import pytest
from humanworld import OTHER_TAB, TAB, HumanWorld
from partners import Sandbox, until, workplace

from harness.errors import OperatorError
from leaderboard import conversations
from leaderboard.conversations import Chat, Database, Look
from leaderboard.human import talk
from leaderboard.human.stages import ChatState
from worker import tasks
from worker.converse import chat as chatting
from worker.converse import host as hosting
from worker.converse.host import Host


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path, raters=3)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    played = Sandbox()
    monkeypatch.setattr(chatting, "seat_of", played.seat_of)
    return played


@pytest.fixture
def hosts(world: HumanWorld, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Starts hosts; those that still run are closed after the test."""
    made: list[tuple[Host, Callable[[], None]]] = []

    def start(*, places: int = 10) -> Host:
        place = workplace(world.db, tmp_path)
        host = Host(place, places=places)
        host.start()
        made.append((host, place.shutdown.set))
        return host

    yield start
    for host, shut in made:
        shut()
        assert host.close()
    assert sandbox.ended


def state(world: HumanWorld, number: int) -> tuple[ChatState, str | None, str | None]:
    row = world.conversation(number)
    return row.state, row.void_code, row.void_detail


def is_open(world: HumanWorld, *numbers: int) -> Callable[[], bool]:
    return lambda: all(world.conversation(n).state is ChatState.OPEN for n in numbers)


def texts(world: HumanWorld, number: int) -> list[str]:
    return [turn.text for turn in world.view(number).turns]


def test_a_rater_is_answered_until_the_chat_is_closed(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    hosts()
    number = world.claim()
    until(is_open(world, number))
    for word in ("cats", "dogs"):
        world.say(number, word)
        until(lambda: not world.view(number).awaits_reply)
    assert texts(world, number) == ["cats", "about cats [2J", "dogs", "about dogs [2J"]
    assert not sandbox.ended
    talk.close(world.db, world.rater_of(number), number, tab=TAB)
    until(lambda: sandbox.ended)


def test_who_finds_no_place_waits_for_one(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    hosts(places=1)
    first = world.claim(0)
    until(is_open(world, first))
    second = world.claim(1)
    time.sleep(0.2)
    assert world.conversation(second).state is ChatState.WAITING
    talk.leave(world.db, world.rater_of(first), first, tab=TAB)
    until(is_open(world, second))


def test_a_rater_who_leaves_while_a_reply_is_awaited_ends_the_cell(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    hosts()
    number = world.claim()
    until(is_open(world, number))
    world.say(number, "wait")
    until(lambda: bool(sandbox.cells[0].agent.contexts))
    talk.leave(world.db, world.rater_of(number), number, tab=TAB)
    until(lambda: sandbox.ended)
    assert state(world, number) == (ChatState.VOID, "left", None)


def test_a_question_past_its_deadline_voids_the_chat_before_the_cell_has_ended(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorten(monkeypatch, seconds=0.3)
    hosts()
    number = world.claim()
    until(is_open(world, number))
    sandbox.cells[0].lingers = 0.5
    begin = time.monotonic()
    world.say(number, "wait")
    until(lambda: world.conversation(number).state is ChatState.VOID)
    assert 0.3 <= time.monotonic() - begin < 0.8
    assert not sandbox.ended
    assert state(world, number) == (ChatState.VOID, "model_error", "late")
    until(lambda: sandbox.ended)


def test_a_reply_in_time_is_no_error_though_the_next_one_is_late(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorten(monkeypatch, seconds=0.5)
    hosts()
    number = world.claim()
    until(is_open(world, number))
    world.say(number, "cats")
    until(lambda: not world.view(number).awaits_reply)
    time.sleep(0.7)
    assert world.conversation(number).state is ChatState.OPEN
    world.say(number, "wait")
    until(lambda: world.conversation(number).state is ChatState.VOID)
    assert texts(world, number) == ["cats", "about cats [2J", "wait"]


def test_what_could_not_begin_here_is_left_to_others_for_a_while(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(hosting, "AGAIN_SECONDS", 0.5)
    sandbox.refusal = OperatorError("image_missing")
    hosts()
    number = world.claim()
    until(lambda: world.conversation(number).losses == 1)
    failed = time.monotonic()
    assert world.conversation(number).state is ChatState.WAITING
    sandbox.refusal = None
    until(is_open(world, number))
    assert time.monotonic() - failed > 0.4


def test_what_can_begin_nowhere_is_void_as_ours(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(hosting, "AGAIN_SECONDS", 0.1)
    sandbox.refusal = OperatorError("engine_down")
    hosts()
    number = world.claim()
    until(lambda: world.conversation(number).state is ChatState.VOID)
    assert state(world, number) == (ChatState.VOID, "platform_error", None)


def test_a_database_that_is_away_for_a_moment_ends_no_chat(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "IDLE_SECONDS", 0.05)
    hosts()
    number = world.claim()
    until(is_open(world, number))
    failed: list[int] = []

    def away(db: Database, held: Mapping[int, int]) -> Look:
        failed.append(1)
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(conversations, "look", away)
        until(lambda: len(failed) > 2)
    world.say(number, "cats")
    until(lambda: not world.view(number).awaits_reply)


def test_a_conversation_that_cannot_be_leased_delays_nobody(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poison, other = world.claim(0), world.claim(1)
    lease = conversations.lease

    def picky(db: Database, number: int, **given: Any) -> Chat | None:  # Any: handed on
        if number == poison:
            raise KeyError("a damaged row")
        return lease(db, number, **given)

    monkeypatch.setattr(conversations, "lease", picky)
    hosts()
    until(is_open(world, other), seconds=3)
    world.say(other, "cats")
    until(lambda: not world.view(other).awaits_reply)


def test_every_chat_is_said_to_be_alive(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    hosts()
    numbers = [world.claim(0), world.claim(1)]
    until(is_open(world, *numbers))
    moment = world.pass_(seconds=7)
    until(lambda: all(world.conversation(n).heartbeat_at == moment for n in numbers))


def test_a_shutdown_tells_the_raters_and_gives_back_what_has_not_begun(
    world: HumanWorld, sandbox: Sandbox, tmp_path: Path
) -> None:
    place = workplace(world.db, tmp_path)
    host = Host(place, places=1)
    host.start()
    begun = world.claim(0)
    until(is_open(world, begun))
    world.say(begun, "wait")
    later = world.claim(1, tab=OTHER_TAB)
    begin = time.monotonic()
    place.shutdown.set()
    assert host.close()
    assert time.monotonic() - begin < 5
    assert sandbox.ended
    assert state(world, begun) == (ChatState.VOID, "worker_lost", None)
    assert world.conversation(later).state is ChatState.WAITING


def test_a_hint_wakes_a_host_that_has_nothing_to_do(
    world: HumanWorld,
    sandbox: Sandbox,
    hosts: Callable[..., Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "IDLE_SECONDS", 30.0)
    monkeypatch.setattr(hosting, "_current", None)
    with pytest.raises(RuntimeError, match="rostrum worker"):
        tasks.converse(1)
    hosting.appoint(hosts())
    time.sleep(0.3)
    number = world.claim()
    time.sleep(0.3)
    assert world.conversation(number).state is ChatState.WAITING
    tasks.converse(number)
    until(is_open(world, number), seconds=3)


def test_a_host_without_a_chat_looks_seldom(
    world: HumanWorld, hosts: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    look = conversations.look

    def counted(db: Database, held: Mapping[int, int]) -> Look:
        looks.append(time.monotonic())
        return look(db, held)

    monkeypatch.setattr(conversations, "look", counted)
    hosts()
    time.sleep(0.9)
    assert 1 <= len(looks) <= 2


def shorten(monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Have every reply due after so many seconds."""
    look = conversations.look

    def shortened(db: Database, held: Mapping[int, int]) -> Look:
        found = look(db, held)
        due = tuple(replace(question, seconds_left=seconds) for question in found.questions)
        return replace(found, questions=due)

    monkeypatch.setattr(conversations, "look", shortened)
