"""The beat: attempts and chats are swept alike, and whatever waits is hinted at."""

from pathlib import Path

import humanworld
import pytest
from humanworld import HumanWorld, partner

from leaderboard import hints
from leaderboard.human.stages import ChatState
from leaderboard.states import Queue
from worker.beat import sweep


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path, raters=3)


def test_what_is_stuck_is_swept_and_what_waits_is_hinted_at(
    world: HumanWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Queue, int]] = []
    monkeypatch.setattr(hints, "send", lambda queue, number, **_: sent.append((queue, number)))
    silent, unserved = world.claim(0), world.claim(1)
    partner(world, silent, None)
    world.pass_(minutes=4)
    waiting = world.claim(2)
    attempts, chats = sweep(world.db, f"sqla+sqlite:///{tmp_path / 'broker.db'}")
    assert attempts.lost == ()
    assert (chats.lost, chats.unserved) == ((silent,), (unserved,))
    assert world.conversation(silent).void_code == "worker_lost"
    assert world.conversation(unserved).void_code == "no_worker"
    assert world.conversation(waiting).state is ChatState.WAITING
    assert sent == [(Queue.CONVERSE, waiting)]
