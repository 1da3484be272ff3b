"""Spare cells: who gets one, which is not lent, and that none is ever left."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import humanworld
import pytest
from humanworld import TAB, HumanWorld
from partners import Sandbox, until, workplace

from harness.errors import OperatorError
from leaderboard import conversations
from leaderboard.human import opening, talk
from leaderboard.human.stages import ChatState
from worker.converse import chat as chatting
from worker.converse import pool as pooling
from worker.converse import spare as sparing
from worker.converse.host import Host


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path, raters=3)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    played = Sandbox()
    monkeypatch.setattr(chatting, "seat_of", played.seat_of)
    monkeypatch.setattr(sparing, "spare_of", played.spare_of)
    monkeypatch.setattr(sparing, "GLANCE_SECONDS", 0.02)
    monkeypatch.setattr(pooling, "TICK_SECONDS", 0.02)
    return played


@pytest.fixture
def hosts(world: HumanWorld, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    made: list[tuple[Host, Callable[[], None]]] = []

    def start(*, spares: int) -> Host:
        place = workplace(world.db, tmp_path)
        host = Host(place, places=10, spares=spares)
        made.append((host, place.shutdown.set))
        host.start()
        return host

    yield start
    for host, shut in made:
        shut()
        assert host.close()
    assert sandbox.ended


def spares(sandbox: Sandbox) -> list[int]:
    """The attempts whose spare cells run and have been tried, lent or not."""
    waiting = [c for c in sandbox.cells if "spare" in c.job.labels and not c.finished]
    return [int(c.job.labels["spare"]) for c in waiting if c.agent.contexts]


def test_a_rater_finds_a_partner_that_is_ready(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    host = hosts(spares=3)
    until(lambda: (host.wake(), len(spares(sandbox)) == 3)[1])
    before = len(sandbox.cells)
    number = world.claim()
    host.wake()
    until(lambda: world.conversation(number).state is ChatState.OPEN)
    for word in ("cats", "dogs"):
        world.say(number, word)
        until(lambda: not world.view(number).awaits_reply)
    used = [
        c
        for c in sandbox.cells[:before]
        if any("cats" in t.turns[-1].text for t in c.agent.contexts)
    ]
    assert len(used) == 1, "the talk went on in a cell that was there before"
    assert used[0].agent.loads == 1
    talk.close(world.db, world.rater_of(number), number, tab=TAB)
    until(lambda: used[0].finished > 0)


def test_a_used_spare_is_replaced_and_never_used_twice(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    host = hosts(spares=3)
    until(lambda: (host.wake(), len(spares(sandbox)) == 3)[1])
    for place in range(3):
        number = world.claim(place)
        host.wake()
        until(lambda n=number: world.conversation(n).state is ChatState.OPEN)
    until(lambda: (host.wake(), len(spares(sandbox)) == 6)[1])  # three talk, three wait
    time.sleep(0.2)
    assert len(sandbox.cells) == 6, "no chat started a cell of its own"
    assert len({cell.job.name for cell in sandbox.cells}) == 6


def test_no_more_are_kept_than_there_are_places(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    host = hosts(spares=2)
    for _ in range(30):
        host.wake()
        time.sleep(0.02)
        assert len([c for c in sandbox.cells if not c.finished]) <= 2
    assert len(spares(sandbox)) == 2


def test_one_that_has_left_is_not_lent_and_the_chat_starts_its_own(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    host = hosts(spares=3)
    until(lambda: (host.wake(), len(spares(sandbox)) == 3)[1])
    for cell in sandbox.cells:
        cell.agent.left = True
    until(lambda: all(cell.finished for cell in sandbox.cells[:3]))
    number = world.claim()
    host.wake()
    until(lambda: world.conversation(number).state is ChatState.OPEN)


def test_one_that_stops_answering_is_found_by_the_probe(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparing, "PROBE_SECONDS", 0.05)
    host = hosts(spares=1)
    until(lambda: (host.wake(), len(spares(sandbox)) == 1)[1])
    sandbox.cells[0].agent.mute = True
    until(lambda: sandbox.cells[0].finished > 0)


def test_a_finalist_of_whom_no_spare_can_be_made_rests(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    sandbox.refusal = OperatorError("engine_down")
    host = hosts(spares=1)
    until(lambda: (host.wake(), sandbox.refused >= 3)[1])  # each finalist once
    for _ in range(10):
        host.wake()
        time.sleep(0.02)
    assert sandbox.refused == 3
    sandbox.refusal = None
    number = world.claim()
    host.wake()
    until(lambda: world.conversation(number).state is ChatState.OPEN)


def test_when_the_evaluation_closes_no_cell_is_kept(
    world: HumanWorld, sandbox: Sandbox, hosts: Callable[..., Host]
) -> None:
    host = hosts(spares=3)
    until(lambda: (host.wake(), len(spares(sandbox)) == 3)[1])
    opening.close_evaluation(world.db, world.competition_id, reason="all is said")
    until(lambda: (host.wake(), sandbox.ended)[1])


def test_who_has_talked_least_is_next(world: HumanWorld) -> None:
    first = [partner.attempt_id for partner in conversations.partners(world.db)]
    world.claim()
    talked = world.conversation(1).finalist_id
    second = [partner.attempt_id for partner in conversations.partners(world.db)]
    assert sorted(first) == sorted(second)
    assert second[-1] == first[talked - 1]
