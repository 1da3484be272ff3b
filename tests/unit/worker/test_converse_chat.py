"""One chat's thread: what the partner is given, and whose fault each of its ends is."""

import hashlib
import hmac
import signal
from collections.abc import Callable
from pathlib import Path

import humanworld
import pytest
from humanworld import HumanWorld
from partners import Sandbox, until, workplace

from harness.dialogue import Turn
from leaderboard import conversations
from leaderboard.conversations import Chat, Question
from leaderboard.human.stages import ChatState
from worker.converse import chat as chatting
from worker.converse.chat import ChatThread, context_of
from worker.sandbox import Exit

CHAT = Chat(
    id=7,
    fence=1,
    competition_id="c",
    attempt_id=3,
    team="t",
    team_id=1,
    repo_url="/r",
    commit="0" * 40,
    track="f1",
    image="sha256:1",
    environment=None,
    sandbox="docker",
    persona=("i have a cat .", "i like tea ."),
    reply_seconds=30,
    secret=b"s" * 32,
)

Told = Callable[..., tuple[ChatState, str | None, str | None]]


def question(number: int) -> Question:
    said = [("rater", "hello"), ("partner", "hi !"), ("rater", "how are you ?")]
    return Question(7, number, tuple(said[:number]), 30.0)


def test_the_partner_sees_the_talk_from_its_own_side_under_a_name_used_once() -> None:
    first, second = (context_of(CHAT, question(number)) for number in (1, 3))
    assert first.persona == CHAT.persona
    assert first.partner_persona == ()
    assert first.turns == (Turn("partner", "hello"),)
    assert second.turns == (
        Turn("partner", "hello"),
        Turn("self", "hi !"),
        Turn("partner", "how are you ?"),
    )
    assert first.id != second.id
    assert first.id == hmac.new(b"s" * 32, b"1", hashlib.sha256).hexdigest()[:32]
    assert context_of(CHAT, question(1)) == first


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[ChatState, str | None, str | None]]:
    """Says one thing to a partner whose cell ends in a given way; how the chat ended."""
    world = humanworld.opened(tmp_path)
    sandbox = Sandbox()
    monkeypatch.setattr(chatting, "seat_of", sandbox.seat_of)
    monkeypatch.setattr(chatting, "GLANCE_SECONDS", 0.05)

    def tell(words: str | None, *, end: Exit) -> tuple[ChatState, str | None, str | None]:
        sandbox.end = end
        number = world.claim()
        leased = conversations.lease(world.db, number, worker="w1")
        assert leased is not None
        woken: list[int] = []
        thread = ChatThread(workplace(world.db, tmp_path), leased, wake=lambda: woken.append(1))
        thread.start()
        until(lambda: thread.opened)
        if words is None:
            sandbox.cells[0].agent.left = True
        else:
            world.say(number, words)
            (asked,) = conversations.look(world.db, {number: leased.fence}).questions
            thread.ask(asked)
            thread.ask(asked)
        assert thread.join(10)
        assert sandbox.ended
        assert woken == [1]
        return ended(world, number)

    return tell


def ended(world: HumanWorld, number: int) -> tuple[ChatState, str | None, str | None]:
    row = world.conversation(number)
    return row.state, row.void_code, row.void_detail


THEIRS = ChatState.VOID, "model_error"
OURS = ChatState.VOID, "platform_error", None


@pytest.mark.parametrize(
    ("words", "end", "verdict"),
    [
        ("too much", Exit(code=0), (*THEIRS, "invalid_prediction")),
        ("leave", Exit(code=0), (*THEIRS, "early_exit")),
        ("leave", Exit(code=3), (*THEIRS, "crashed")),
        ("leave", Exit(signal=signal.SIGKILL), (*THEIRS, "crashed")),
        ("leave", Exit(signal=signal.SIGKILL, out_of_memory=True), (*THEIRS, "out_of_memory")),
        ("leave", Exit(signal=signal.SIGKILL, killed=True), OURS),
        ("leave", Exit(), OURS),
        (None, Exit(signal=signal.SIGKILL, killed=True), OURS),
        (None, Exit(code=0), (*THEIRS, "early_exit")),
    ],
)
def test_whose_fault_an_end_is(
    told: Told, words: str | None, end: Exit, verdict: tuple[ChatState, str, str | None]
) -> None:
    assert told(words, end=end) == verdict


def test_a_bug_of_ours_is_not_the_partners(
    told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(conversations, "answer", broken)
    assert told("cats", end=Exit(code=0)) == OURS
    assert "evaluator bug" in caplog.text
