"""The two questions: their order, their first answers, and nothing that tells which was right."""

from functools import partial
from pathlib import Path

import humanworld
import pytest
from conversing import at_once, judgement, refused, say
from humanworld import TAB, HumanWorld, partner

from leaderboard.human import talk
from leaderboard.human.stages import ChatState


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path)


@pytest.mark.parametrize("right", [True, False])
def test_the_answer_is_checked_against_what_was_drawn(world: HumanWorld, right: bool) -> None:
    for rater in range(2):
        chat = world.claim(rater)
        world.rated(chat, right=right)
        stored = judgement(world, chat)
        assert stored is not None
        assert stored.detected is right


def test_before_the_first_answer_a_view_holds_nothing_of_the_partner(world: HumanWorld) -> None:
    chat = world.claim()
    shown = [world.view(chat)]
    partner(world, chat, None)
    shown += [world.view(chat), say(world, chat, "hello !")]
    partner(world, chat, "good day .")
    shown.append(say(world, chat, "and now ?"))
    partner(world, chat, "now we talk .")
    shown.append(world.view(chat))
    shown.append(talk.close(world.db, world.rater_of(chat), chat, tab=TAB))
    row = world.conversation(chat)
    secrets = [*row.partner_persona, *row.distractor, *row.choices, "finalist-", "sha256:1", "w1"]
    for view in shown:
        assert not [secret for secret in secrets if secret in repr(view)]


def test_the_partner_and_its_counterpart_differ_in_order_only(world: HumanWorld) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    first = talk.judge_enjoyment(world.db, rater, chat, value=2)
    with world.db.write() as session:
        row = session.get_one(type(world.conversation(chat)), chat)
        row.partner_persona, row.distractor = row.distractor, row.partner_persona
        row.partner_first = not row.partner_first
    assert world.view(chat) == first


def test_leaving_after_the_first_answer_keeps_it(world: HumanWorld) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    talk.judge_enjoyment(world.db, rater, chat, value=1)
    assert talk.leave(world.db, rater, chat, tab=TAB).state is ChatState.RATED
    stored = judgement(world, chat)
    assert stored is not None
    assert (stored.enjoyment, stored.choice, stored.detected) == (1, None, None)


def test_the_first_answer_stays(world: HumanWorld) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    shown = talk.judge_enjoyment(world.db, rater, chat, value=4)
    again = refused(lambda: talk.judge_enjoyment(world.db, rater, chat, value=1))
    assert again.code == "already_answered"
    talk.judge_persona(world.db, rater, chat, choice=shown.choices[0].id)
    for place in (0, 1):
        error = refused(
            lambda place=place: talk.judge_persona(  # type: ignore[misc]
                world.db, rater, chat, choice=shown.choices[place].id
            )
        )
        assert error.code == "already_answered"
    again = refused(lambda: talk.judge_enjoyment(world.db, rater, chat, value=1))
    assert again.code == "already_answered"
    stored = judgement(world, chat)
    assert stored is not None
    assert (stored.enjoyment, stored.choice) == (4, shown.choices[0].id)


@pytest.mark.parametrize("value", [0, 5, -1, True, 2.0, "3", None])
def test_enjoyment_is_one_of_four(world: HumanWorld, value: int) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    error = refused(lambda: talk.judge_enjoyment(world.db, rater, chat, value=value))
    assert error.code == "bad_answer"
    assert judgement(world, chat) is None


def test_questions_have_their_order(world: HumanWorld) -> None:
    chat = world.claim()
    rater = world.rater_of(chat)
    partner(world, chat, None)
    error = refused(lambda: talk.judge_enjoyment(world.db, rater, chat, value=3))
    assert error.code == "too_early"
    world.closed(chat)
    drawn = world.conversation(chat).choices
    error = refused(lambda: talk.judge_persona(world.db, rater, chat, choice=drawn[0]))
    assert (error.code, "first" in error.message) == ("too_early", True)
    talk.judge_enjoyment(world.db, rater, chat, value=3)
    error = refused(lambda: talk.judge_persona(world.db, rater, chat, choice="0" * 8))
    assert error.code == "bad_answer"
    stored = judgement(world, chat)
    assert stored is not None
    assert stored.choice is None


def test_a_void_conversation_takes_no_answer(world: HumanWorld) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    talk.leave(world.db, rater, chat, tab=TAB)
    error = refused(lambda: talk.judge_enjoyment(world.db, rater, chat, value=3))
    assert (error.code, error.message) == ("chat_over", world.view(chat).sentence)
    assert judgement(world, chat) is None


def test_of_two_submits_at_once_one_is_stored(world: HumanWorld) -> None:
    chat = world.claim()
    world.closed(chat)
    rater = world.rater_of(chat)
    outcomes = at_once(
        *(
            partial(talk.judge_enjoyment, world.db, rater, chat, value=value)
            for value in (1, 2, 3, 4)
        )
    )
    assert outcomes == {"done": 1, "already_answered": 3}
    choices = [choice.id for choice in world.view(chat).choices]
    outcomes = at_once(
        *(partial(talk.judge_persona, world.db, rater, chat, choice=name) for name in choices * 2)
    )
    assert outcomes == {"done": 1, "already_answered": 3}
    assert world.view(chat).state is ChatState.RATED
