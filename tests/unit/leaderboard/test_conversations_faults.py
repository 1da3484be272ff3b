"""When somebody is gone: the worker, the rater, the partner, the invitation, the evaluation."""

from datetime import timedelta
from pathlib import Path

import humanworld
import pytest
from humanworld import TAB, HumanWorld, partner

from harness.errors import UsageError
from leaderboard import conversations, settings
from leaderboard.conversations import ChatsSwept
from leaderboard.db.people import Finalist, Judgement
from leaderboard.human import invitations, moves, opening, talk
from leaderboard.human.stages import VOID_REASONS, ChatState

CHAT = 1


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    """A world in which the first rater has claimed `CHAT`."""
    world = humanworld.opened(tmp_path)
    assert world.claim() == CHAT
    return world


def lease(world: HumanWorld) -> conversations.Chat:
    chat = conversations.lease(world.db, CHAT, worker="w1")
    assert chat is not None
    return chat


def void(world: HumanWorld) -> str | None:
    """Why it is void, as the page tells it; None while it is not."""
    shown = world.view(CHAT)
    if shown.state is not ChatState.VOID:
        return None
    code = shown.void_code
    assert code is not None
    assert shown.sentence == VOID_REASONS[code].sentence
    assert (shown.may_write, shown.may_close, shown.awaits_reply) == (False, False, False)
    assert shown.choices == ()
    return code


def test_nobody_comes(world: HumanWorld) -> None:
    world.pass_(seconds=180)
    assert void(world) is None
    world.pass_(seconds=1)
    assert void(world) == "no_worker"
    assert world.claim() != CHAT


def test_a_partner_that_never_gets_ready(world: HumanWorld) -> None:
    chat = lease(world)
    for _ in range(18):
        world.pass_(seconds=10)
        conversations.beat(world.db, {CHAT: chat.fence})
    assert void(world) is None
    world.pass_(seconds=1)
    assert void(world) == "platform_error"


def test_a_living_worker_whose_partner_does_not_reply(world: HumanWorld) -> None:
    chat = partner(world, CHAT, None)
    world.say(CHAT, "hello ?")
    world.pass_(seconds=32.9)
    conversations.beat(world.db, {CHAT: chat.fence})
    assert void(world) is None
    world.pass_(seconds=0.2)
    assert void(world) == "model_error"
    assert world.conversation(CHAT).void_detail == "late"


def test_a_worker_that_is_killed_while_the_rater_waits(world: HumanWorld) -> None:
    partner(world, CHAT, None)
    world.say(CHAT, "hello ?")
    world.pass_(seconds=33.1)
    assert void(world) == "worker_lost"
    assert [turn.text for turn in world.view(CHAT).turns] == ["hello ?"]


def test_a_rater_who_falls_silent(world: HumanWorld) -> None:
    chat = partner(world, CHAT, None)
    world.pass_(seconds=590)
    conversations.beat(world.db, {CHAT: chat.fence})
    world.say(CHAT, "i am back .")
    partner(world, CHAT, "welcome .")
    world.pass_(seconds=600)
    conversations.beat(world.db, {CHAT: chat.fence})
    assert void(world) is None, "the time counts from the last word"
    world.pass_(seconds=1)
    assert void(world) == "idle"


def test_a_worker_that_is_killed_between_two_turns(world: HumanWorld) -> None:
    chat = partner(world, CHAT, None)
    world.say(CHAT, "hello ?")
    partner(world, CHAT, "hello !")
    world.pass_(seconds=29)
    assert void(world) is None
    conversations.beat(world.db, {CHAT: chat.fence})
    world.pass_(seconds=30)
    assert void(world) is None, "a heartbeat was heard"
    world.pass_(seconds=1)
    assert void(world) == "worker_lost"
    assert [turn.text for turn in world.view(CHAT).turns] == ["hello ?", "hello !"]


def test_a_rater_who_answers_no_question(world: HumanWorld) -> None:
    world.closed(CHAT)
    world.pass_(seconds=601)
    assert void(world) == "idle"
    with world.db.read() as session:
        assert session.get(Judgement, CHAT) is None


def test_a_rater_who_answers_one_question_only(world: HumanWorld) -> None:
    world.closed(CHAT)
    world.pass_(seconds=500)
    talk.judge_enjoyment(world.db, world.rater_of(CHAT), CHAT, value=4)
    world.pass_(seconds=500)
    assert world.view(CHAT).state is ChatState.RATING, "the time counts from the last answer"
    world.pass_(seconds=101)
    assert world.view(CHAT).state is ChatState.RATED
    with world.db.read() as session:
        stored = session.get_one(Judgement, CHAT)
    assert (stored.enjoyment, stored.detected, stored.detected_at) == (4, None, None)


def test_nothing_can_be_done_once_it_is_too_late(world: HumanWorld) -> None:
    world.closed(CHAT)
    world.pass_(seconds=601)
    with pytest.raises(UsageError) as caught:
        talk.judge_enjoyment(world.db, world.rater_of(CHAT), CHAT, value=4)
    assert caught.value.code == "chat_over"
    assert world.conversation(CHAT).state is ChatState.VOID, "the refusal has not undone it"


def test_the_sweep_takes_what_a_silent_worker_held(world: HumanWorld) -> None:
    lease(world)
    world.pass_(seconds=settings.lost_after().total_seconds())
    assert conversations.sweep(world.db) == ChatsSwept()
    world.pass_(seconds=1)
    assert conversations.sweep(world.db) == ChatsSwept(lost=(CHAT,))
    assert world.view(CHAT).state is ChatState.WAITING, "it has not begun: it waits again"
    assert conversations.sweep(world.db) == ChatsSwept()

    lease(world)
    world.pass_(seconds=91)
    assert conversations.sweep(world.db) == ChatsSwept(lost=(CHAT,))
    assert void(world) == "worker_lost"


def test_the_sweep_ends_an_open_chat_without_a_worker(world: HumanWorld) -> None:
    partner(world, CHAT, None)
    world.pass_(seconds=91)
    assert conversations.sweep(world.db) == ChatsSwept(lost=(CHAT,))
    assert void(world) == "worker_lost"


def test_the_sweep_ends_what_no_page_looks_at(world: HumanWorld) -> None:
    other = world.claim(1)
    world.closed(other)
    world.pass_(seconds=181)
    assert conversations.sweep(world.db) == ChatsSwept(unserved=(CHAT,))
    world.pass_(seconds=600)
    assert conversations.sweep(world.db) == ChatsSwept(idle=(other,))
    assert conversations.sweep(world.db) == ChatsSwept()
    assert void(world) == "no_worker"


def test_the_sweep_tells_late_replies_from_lost_workers(world: HumanWorld) -> None:
    other = world.claim(1)
    chat = partner(world, CHAT, None)
    partner(world, other, None)
    world.say(CHAT, "hello ?")
    world.say(other, "hello ?")
    world.pass_(seconds=34)
    conversations.beat(world.db, {CHAT: chat.fence})
    assert conversations.sweep(world.db) == ChatsSwept(lost=(other,), unserved=(CHAT,))


STAGES = ["waiting", "starting", "open", "asked", "rating"]


def lead(world: HumanWorld, stage: str) -> None:
    if stage == "starting":
        lease(world)
    elif stage in ("open", "asked"):
        partner(world, CHAT, None)
        if stage == "asked":
            world.say(CHAT, "what i wrote")
    elif stage == "rating":
        world.closed(CHAT)


@pytest.mark.parametrize("stage", STAGES)
def test_an_invitation_is_withdrawn(world: HumanWorld, stage: str) -> None:
    lead(world, stage)
    before = world.view(CHAT)
    other = world.claim(1)
    invitations.revoke(world.db, world.competition_id, "rater-1", reason="asked us to")
    assert void(world) == "revoked"
    assert world.view(CHAT).turns == before.turns
    assert world.view(CHAT).version > before.version
    assert world.view(other).state is ChatState.WAITING, "nobody else is touched"


@pytest.mark.parametrize("stage", STAGES)
def test_the_evaluation_is_closed(world: HumanWorld, stage: str) -> None:
    lead(world, stage)
    opening.close_evaluation(world.db, world.competition_id, reason="enough")
    assert void(world) == "closed"


@pytest.mark.parametrize("stage", STAGES)
def test_a_score_is_withheld(world: HumanWorld, stage: str) -> None:
    lead(world, stage)
    other = world.claim(1)
    with world.db.write() as session:
        finalist = session.get_one(Finalist, world.conversation(CHAT).finalist_id)
        ended = moves.void_of_attempt(session, finalist.attempt_id, "withheld")
        again = moves.void_of_attempt(session, finalist.attempt_id, "withheld")
    assert (ended, again) == ((CHAT,), ())
    assert void(world) == "withheld"
    assert world.view(other).state is ChatState.WAITING


def test_an_answer_that_is_stored_outlives_the_close(world: HumanWorld) -> None:
    world.closed(CHAT)
    talk.judge_enjoyment(world.db, world.rater_of(CHAT), CHAT, value=2)
    opening.close_evaluation(world.db, world.competition_id, reason="enough")
    assert world.view(CHAT).state is ChatState.RATED


def test_the_first_reason_stays(world: HumanWorld) -> None:
    talk.leave(world.db, world.rater_of(CHAT), CHAT, tab=TAB)
    with world.db.write() as session:
        row = session.get_one(type(world.conversation(CHAT)), CHAT)
        assert moves.void(session, row, "model_error", detail="late") is False
    assert void(world) == "left"


def test_only_known_reasons_and_arrows(world: HumanWorld) -> None:
    with world.db.write() as session:
        row = session.get_one(type(world.conversation(CHAT)), CHAT)
        with pytest.raises(ValueError, match="no reason"):
            moves.void(session, row, "bored")
        with pytest.raises(ValueError, match="no reason"):
            moves.void(session, row, "model_error", detail="what it printed")
        with pytest.raises(ValueError, match="cannot go"):
            moves.move(session, row, ChatState.RATED)


def test_a_change_on_an_old_reading_is_lost(world: HumanWorld) -> None:
    with world.db.read() as session:
        stale = session.get_one(type(world.conversation(CHAT)), CHAT)
    lease(world)
    with world.db.write() as session:
        stale = session.merge(stale, load=False)
        with pytest.raises(moves.Lost):
            moves.touch(session, stale)
        with pytest.raises(moves.Lost):
            moves.move(session, stale, ChatState.STARTING)
    assert world.conversation(CHAT).fence == 1


def test_the_silence_of_a_sweep_is_a_setting(
    world: HumanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_LOST_SECONDS", "3")
    assert settings.lost_after() == timedelta(seconds=3)
    lease(world)
    world.pass_(seconds=3.5)
    assert conversations.sweep(world.db).lost == (CHAT,)
