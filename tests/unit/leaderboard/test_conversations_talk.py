"""A rater's conversation from the first word to the last answer, and every refusal on the way."""

from functools import partial
from pathlib import Path

import humanworld
import pytest
from conversing import at_once, judgement, refused, say
from humanworld import OTHER_TAB, TAB, HumanWorld, partner
from sqlalchemy import event

from leaderboard.human import talk
from leaderboard.human.stages import ChatState
from leaderboard.human.talk import TalkView


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path)


def test_a_whole_talk(world: HumanWorld) -> None:
    chat = world.claim()
    rater = world.rater_of(chat)

    waiting = world.view(chat)
    assert (waiting.state, waiting.may_write, waiting.turns) == (ChatState.WAITING, False, ())
    assert waiting.sentence == "Your partner is being called."

    partner(world, chat, None)
    here = world.view(chat)
    assert (here.state, here.may_write, here.may_close) == (ChatState.OPEN, True, False)
    assert here.rater_persona in humanworld.PERSONAS
    assert here.version > waiting.version

    said = say(world, chat, "hello , who are you ?")
    assert (said.awaits_reply, said.may_write) == (True, False)
    assert said.sentence == "Waiting for your partner's reply."
    partner(world, chat, "i am nobody in particular .")
    assert "1 more turn" in world.view(chat).sentence
    say(world, chat, "so am i .")
    partner(world, chat, "then we are two .")

    ready = world.view(chat)
    assert [(t.number, t.speaker, t.text) for t in ready.turns] == [
        (0, "rater", "hello , who are you ?"),
        (1, "partner", "i am nobody in particular ."),
        (2, "rater", "so am i ."),
        (3, "partner", "then we are two ."),
    ]
    assert (ready.answered, ready.may_close, ready.choices) == (2, True, ())

    asked = talk.close(world.db, rater, chat, tab=TAB)
    assert (asked.state, asked.enjoyment, asked.choices) == (ChatState.RATING, None, ())

    first = talk.judge_enjoyment(world.db, rater, chat, value=4)
    stored = judgement(world, chat)
    assert stored is not None
    assert (first.enjoyment, stored.enjoyment, stored.detected) == (4, 4, None)
    row = world.conversation(chat)
    assert {c.persona for c in first.choices} == {
        tuple(row.partner_persona),
        tuple(row.distractor),
    }
    assert [c.id for c in first.choices] == row.choices

    last = talk.judge_persona(world.db, rater, chat, choice=first.choices[0].id)
    stored = judgement(world, chat)
    assert stored is not None
    assert (last.state, last.persona_answered, last.choices) == (ChatState.RATED, True, ())
    assert stored.detected is row.partner_first
    assert world.conversation(chat).ended_at == world.clock.moment


def test_a_message_sent_twice_is_stored_once(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    once = say(world, chat, "are you there ?", client_id="0a1b")
    again = say(world, chat, "are you there ?", client_id="0a1b")
    assert once == again
    partner(world, chat, "yes .")
    late = say(world, chat, "are you there ?", client_id="0a1b")
    assert [turn.speaker for turn in late.turns] == ["rater", "partner"]
    talk.leave(world.db, world.rater_of(chat), chat, tab=TAB)
    assert say(world, chat, "are you there ?", client_id="0a1b").state is ChatState.VOID


def test_what_was_typed_is_cleaned_and_nothing_else(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    text = "  <b>hi</b>\x00\r\n\tyou\ud83d\u202ereal \U0001f642 & caf\u00e9  "
    shown = say(world, chat, text)
    assert shown.turns[0].text == "<b>hi</b> you real \U0001f642 & caf\u00e9"


@pytest.mark.parametrize("text", ["", "   ", "\n\t\x00", "\ud800", "\u200b\u200d", "\u202e"])
def test_nothing_is_not_sent(world: HumanWorld, text: str) -> None:
    chat = world.claim()
    partner(world, chat, None)
    assert refused(lambda: say(world, chat, text)).code == "empty_text"
    assert world.view(chat).turns == ()


def test_a_long_text_is_refused_with_its_length(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    limit = world.view(chat).protocol.text_limit
    error = refused(lambda: say(world, chat, "\u00e9" * (limit + 1)))
    assert (error.code, str(limit + 1) in error.message) == ("too_long", True)
    assert say(world, chat, "\u00e9" * limit).answered == 0


@pytest.mark.parametrize("client_id", ["", "xyz!", "A1B2", "ab" * 17, "'; drop table turns"])
def test_a_message_id_is_short_hex(world: HumanWorld, client_id: str) -> None:
    chat = world.claim()
    partner(world, chat, None)
    assert refused(lambda: say(world, chat, "hi", client_id=client_id)).code == "bad_answer"


def test_the_rater_waits_for_the_partner_and_for_its_reply(world: HumanWorld) -> None:
    chat = world.claim()
    early = refused(lambda: say(world, chat, "hello ?"))
    assert (early.code, early.message) == ("not_your_turn", "Your partner is not here yet.")
    partner(world, chat, None)
    say(world, chat, "hello ?")
    assert refused(lambda: say(world, chat, "hello ??")).code == "not_your_turn"
    assert [turn.text for turn in world.view(chat).turns] == ["hello ?"]


def test_a_talk_has_a_last_turn(world: HumanWorld) -> None:
    chat = world.claim()
    most = world.view(chat).protocol.maximum_turns
    shown = world.talked(chat, turns=most)
    assert (shown.may_write, shown.may_close) == (False, True)
    assert refused(lambda: say(world, chat, "one more")).code == "not_your_turn"
    closed = talk.close(world.db, world.rater_of(chat), chat, tab=TAB)
    assert closed.state is ChatState.RATING


def test_closing_too_early_says_how_much_is_missing(world: HumanWorld) -> None:
    chat = world.claim()
    rater = world.rater_of(chat)

    def close() -> TalkView:
        return talk.close(world.db, rater, chat, tab=TAB)

    assert "2 answered turns are" in refused(close).message
    world.talked(chat, turns=1)
    missing = refused(close)
    assert (missing.code, "1 answered turn is" in missing.message) == ("too_early", True)
    world.talked(chat, turns=1)
    say(world, chat, "one thing more")
    assert refused(close).code == "too_early"
    assert not world.view(chat).may_close
    partner(world, chat, "yes ?")
    assert close().state is ChatState.RATING
    assert close().state is ChatState.RATING, "closing twice changes nothing"


def test_somebody_elses_conversation_is_like_one_that_does_not_exist(world: HumanWorld) -> None:
    chat = world.claim(0)
    stranger = world.raters[1].id

    def errors(number: int) -> set[tuple[str, str]]:
        return {
            (error.code, error.message)
            for error in (
                refused(lambda: talk.view(world.db, stranger, number, tab=TAB)),
                refused(lambda: talk.close(world.db, stranger, number, tab=TAB)),
                refused(lambda: talk.leave(world.db, stranger, number, tab=TAB)),
                refused(lambda: talk.judge_enjoyment(world.db, stranger, number, value=1)),
                refused(lambda: talk.judge_persona(world.db, stranger, number, choice="00")),
                refused(
                    lambda: talk.say(
                        world.db, stranger, number, tab=TAB, client_id="abcd", text="hi"
                    )
                ),
            )
        }

    assert errors(chat) == errors(chat + 1000)
    assert {code for code, _ in errors(chat)} == {"not_your_conversation"}
    assert world.view(chat).state is ChatState.WAITING


def test_two_tabs_are_told_apart(world: HumanWorld) -> None:
    chat = world.claim(tab=TAB)
    partner(world, chat, None)
    before = world.view(chat).version
    assert world.claim(tab=OTHER_TAB) == chat
    assert world.claim(tab=OTHER_TAB) == chat, "and again from the same tab"

    old, new = world.view(chat, tab=TAB), world.view(chat, tab=OTHER_TAB)
    assert (old.holds, old.may_write, new.holds, new.may_write) == (False, False, True, True)
    assert new.version == before + 1, "the old tab's page hears of it"
    rater = world.rater_of(chat)
    assert refused(lambda: say(world, chat, "from the old one")).code == "other_tab"
    assert refused(lambda: talk.close(world.db, rater, chat, tab=TAB)).code == "other_tab"
    assert refused(lambda: talk.leave(world.db, rater, chat, tab=TAB)).code == "other_tab"
    assert say(world, chat, "from the new one", tab=OTHER_TAB).awaits_reply
    assert not world.view(chat, tab=None).holds


def test_leaving_ends_it_and_what_was_typed_stays(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    say(world, chat, "i have to go .")
    rater = world.rater_of(chat)
    gone = talk.leave(world.db, rater, chat, tab=TAB)
    assert (gone.state, gone.void_code) == (ChatState.VOID, "left")
    assert [turn.text for turn in gone.turns] == ["i have to go ."]
    assert talk.leave(world.db, rater, chat, tab=OTHER_TAB) == talk.view(
        world.db, rater, chat, tab=OTHER_TAB
    )
    assert refused(lambda: say(world, chat, "one more")).code == "chat_over"
    assert world.claim() != chat


def test_versions_are_one_query_for_many(world: HumanWorld) -> None:
    chats = [world.claim(0), world.claim(1)]
    before = talk.versions(world.db, chats)
    partner(world, chats[0], None)
    after = talk.versions(world.db, [*chats, 999])
    assert after[chats[0]] > before[chats[0]]
    assert after[chats[1]] == before[chats[1]]
    assert 999 not in after
    assert talk.versions(world.db, []) == {}


def test_looking_writes_nothing(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    say(world, chat, "are you there ?")
    statements: list[str] = []
    event.listen(world.db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    before = world.view(chat).version
    assert world.view(chat).version == before
    assert {statement.split()[0] for statement in statements} - {"BEGIN"} == {"SELECT"}
    assert "BEGIN IMMEDIATE" not in statements


def test_a_message_sent_many_times_at_once_is_stored_once(world: HumanWorld) -> None:
    chat = world.claim()
    partner(world, chat, None)
    same = partial(say, world, chat, "are you there ?", client_id="0a1b")
    assert at_once(*[same] * 4) == {"done": 4}
    other = partial(say, world, chat, "another one", client_id="0a1c")
    assert at_once(same, other, same) == {"done": 2, "not_your_turn": 1}
    assert [turn.text for turn in world.view(chat).turns] == ["are you there ?"]


def test_closing_and_leaving_at_once_ends_one_way(world: HumanWorld) -> None:
    chat = world.claim()
    world.talked(chat, turns=2)
    rater = world.rater_of(chat)
    at_once(
        partial(talk.close, world.db, rater, chat, tab=TAB),
        partial(talk.leave, world.db, rater, chat, tab=TAB),
    )
    shown = world.view(chat)
    assert (shown.state, shown.void_code) == (ChatState.VOID, "left")
