"""The worker's door: leases, questions, replies, heartbeats, and the ways in which it ends."""

from pathlib import Path

import humanworld
import pytest
from humanworld import TAB, HumanWorld, partner
from sqlalchemy import event

from harness.errors import OperatorError, SubmissionError
from leaderboard import conversations
from leaderboard.conversations import Chat, Kept, Lost
from leaderboard.db.models import Attempt, Submission
from leaderboard.db.people import Finalist
from leaderboard.human import opening, talk
from leaderboard.human.stages import MODEL_DETAILS, ChatState


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path, raters=3)


def leased(world: HumanWorld, conversation_id: int, *, worker: str = "w1") -> Chat:
    chat = conversations.lease(world.db, conversation_id, worker=worker)
    assert chat is not None
    return chat


def asked(world: HumanWorld, text: str = "who are you ?") -> Chat:
    """A chat whose partner is to reply."""
    chat = partner(world, world.claim(), None)
    world.say(chat.id, text)
    return chat


def state(world: HumanWorld, chat: Chat) -> tuple[ChatState, str | None, str | None]:
    row = world.conversation(chat.id)
    return row.state, row.void_code, row.void_detail


def test_a_lease_names_what_was_scored(world: HumanWorld) -> None:
    number = world.claim()
    assert conversations.waiting(world.db) == [number]
    chat = leased(world, number)
    row = world.conversation(number)
    with world.db.read() as session:
        finalist = session.get_one(Finalist, row.finalist_id)
        attempt = session.get_one(Attempt, finalist.attempt_id)
        submission = session.get_one(Submission, attempt.submission_id)
    assert chat.attempt_id == attempt.id
    assert (chat.commit, chat.image, chat.environment, chat.sandbox, chat.track) == (
        submission.commit,
        attempt.image,
        attempt.environment,
        attempt.sandbox,
        "f1",
    )
    assert chat.persona == tuple(row.partner_persona)
    assert (chat.fence, row.worker, chat.reply_seconds) == (1, "w1", 30)
    assert conversations.waiting(world.db) == []
    assert conversations.lease(world.db, number, worker="w2") is None
    assert conversations.lease(world.db, 999, worker="w2") is None


def test_each_conversation_has_a_secret_of_its_own(world: HumanWorld) -> None:
    one, other = (leased(world, world.claim(place)) for place in range(2))
    assert len(one.secret) == len(other.secret) == 32
    assert one.secret != other.secret


def test_a_look_shows_what_is_to_do(world: HumanWorld) -> None:
    first, second, third = (world.claim(place) for place in range(3))
    chat = leased(world, first)
    held = {first: chat.fence}
    look = conversations.look(world.db, held)
    assert (look.waiting, look.questions, look.ended) == ((second, third), (), frozenset())

    conversations.opened(world.db, chat)
    assert conversations.look(world.db, held).questions == ()
    world.say(first, "who are you ?")
    world.pass_(seconds=12.5)
    (question,) = conversations.look(world.db, held).questions
    assert (question.conversation_id, question.number) == (first, 1)
    assert question.turns == (("rater", "who are you ?"),)
    assert question.seconds_left == pytest.approx(17.5)
    assert conversations.look(world.db, {}).questions == ()

    conversations.answer(world.db, chat, number=1, text="a friend .")
    assert conversations.look(world.db, held).questions == ()
    world.say(first, "whose ?")
    (question,) = conversations.look(world.db, held).questions
    assert (question.number, [text for _, text in question.turns]) == (
        3,
        ["who are you ?", "a friend .", "whose ?"],
    )


def test_a_look_is_short(world: HumanWorld) -> None:
    chats = [partner(world, world.claim(place), None) for place in range(3)]
    for chat in chats:
        world.say(chat.id, "hello ?")
    statements: list[str] = []
    event.listen(world.db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    held = {chat.id: chat.fence for chat in chats}
    assert len(conversations.look(world.db, held).questions) == 3
    assert [s.split()[0] for s in statements if s != "BEGIN"] == ["SELECT", "SELECT"]


def test_what_has_ended_is_said_once_and_for_all(world: HumanWorld) -> None:
    gone, rating, stolen = (partner(world, world.claim(place), None) for place in range(3))
    talk.leave(world.db, world.rater_of(gone.id), gone.id, tab=TAB)
    world.closed(rating.id)
    held = {gone.id: gone.fence, rating.id: rating.fence, stolen.id: stolen.fence - 1, 999: 1}
    assert conversations.look(world.db, held).ended == held.keys()


def test_a_reply_is_stored_once(world: HumanWorld) -> None:
    chat = asked(world)
    conversations.answer(world.db, chat, number=1, text="  a \x1b[31mfriend\u202e .\n")
    conversations.answer(world.db, chat, number=1, text="  a \x1b[31mfriend\u202e .\n")
    assert [t.text for t in world.view(chat.id).turns][1:] == ["a  [31mfriend  ."]
    for number, text in [(1, "an enemy ."), (2, "hi"), (3, "too soon"), (0, "hi"), (-1, "hi")]:
        with pytest.raises(Lost):
            conversations.answer(world.db, chat, number=number, text=text)
    assert world.view(chat.id).answered == 1
    assert world.view(chat.id).state is ChatState.OPEN


@pytest.mark.parametrize("text", ["", "  \n ", "\u202e", "x" * 3000, "\ud800", None, 7])
def test_a_partner_that_says_nothing_is_not_rated(world: HumanWorld, text: str) -> None:
    chat = asked(world)
    with pytest.raises(Lost):
        conversations.answer(world.db, chat, number=1, text=text)
    assert state(world, chat) == (ChatState.VOID, "model_error", "invalid_prediction")
    assert "stopped answering" in world.view(chat.id).sentence


def test_a_reply_after_the_deadline_is_too_late(world: HumanWorld) -> None:
    chat = asked(world)
    world.pass_(seconds=33.5)
    conversations.beat(world.db, {chat.id: chat.fence})
    with pytest.raises(Lost):
        conversations.answer(world.db, chat, number=1, text="sorry , i was thinking .")
    assert state(world, chat) == (ChatState.VOID, "model_error", "late")
    assert len(world.view(chat.id).turns) == 1


def test_nothing_is_written_with_a_lease_that_has_ended(world: HumanWorld) -> None:
    old = leased(world, world.claim())
    conversations.fail(world.db, old, OperatorError("engine_down"))
    new = leased(world, old.id, worker="w2")
    assert new.fence > old.fence
    with pytest.raises(Lost):
        conversations.opened(world.db, old)
    conversations.opened(world.db, new)
    world.say(new.id, "hello ?")
    with pytest.raises(Lost):
        conversations.answer(world.db, old, number=1, text="hi")
    before = world.conversation(new.id).heartbeat_at
    world.pass_(seconds=5)
    conversations.beat(world.db, {old.id: old.fence})
    assert world.conversation(new.id).heartbeat_at == before
    conversations.fail(world.db, old, SubmissionError("crashed"))
    conversations.dropped(world.db, [old])
    assert state(world, new)[0] is ChatState.OPEN
    conversations.answer(world.db, new, number=1, text="hi")


def test_beats_are_one_statement_and_show_nothing_new(world: HumanWorld) -> None:
    chats = [partner(world, world.claim(place), None) for place in range(3)]
    versions = talk.versions(world.db, [chat.id for chat in chats])
    moment = world.pass_(seconds=9)
    conversations.beat(world.db, {chat.id: chat.fence for chat in chats})
    conversations.beat(world.db, {})
    assert {world.conversation(chat.id).heartbeat_at for chat in chats} == {moment}
    assert talk.versions(world.db, versions) == versions


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (SubmissionError("batch_timeout"), "late"),
        (SubmissionError("total_timeout"), "late"),
        (SubmissionError("load_timeout"), "load"),
        (SubmissionError("crashed", detail="verb"), "crashed"),
        (SubmissionError("early_exit"), "early_exit"),
        (SubmissionError("protocol"), "protocol"),
        (SubmissionError("invalid_prediction", detail="not_text"), "invalid_prediction"),
        (SubmissionError("out_of_memory"), "out_of_memory"),
        (SubmissionError("output_limit"), "crashed"),
        (SubmissionError("disk_limit"), "crashed"),
    ],
)
def test_the_models_fault_is_told_by_a_closed_list(
    world: HumanWorld, error: SubmissionError, detail: str
) -> None:
    chat = asked(world)
    conversations.fail(world.db, chat, error)
    assert detail in MODEL_DETAILS
    assert state(world, chat) == (ChatState.VOID, "model_error", detail)
    row = world.conversation(chat.id)
    assert (row.worker, row.heartbeat_at, row.ended_at) == (None, None, world.clock.moment)
    conversations.fail(world.db, chat, OperatorError("engine_down"))
    assert state(world, chat) == (ChatState.VOID, "model_error", detail), "the first reason stays"


def test_an_explicit_detail_wins(world: HumanWorld) -> None:
    chat = asked(world)
    conversations.fail(world.db, chat, SubmissionError("crashed"), detail="load")
    assert state(world, chat)[2] == "load"


def test_our_fault_before_the_beginning_is_tried_once_more(world: HumanWorld) -> None:
    number = world.claim()
    chat = leased(world, number)
    conversations.fail(world.db, chat, OperatorError("image_missing"))
    assert world.view(number).state is ChatState.WAITING
    assert conversations.waiting(world.db) == [number]
    conversations.fail(world.db, leased(world, number), OperatorError("image_missing"))
    assert state(world, chat) == (ChatState.VOID, "platform_error", None)


def test_our_fault_in_mid_chat_ends_it(world: HumanWorld) -> None:
    chat = asked(world, "what i wrote")
    conversations.fail(world.db, chat, OperatorError("engine_down"))
    assert state(world, chat) == (ChatState.VOID, "platform_error", None)
    shown = world.view(chat.id)
    assert "not your fault" in shown.sentence
    assert [turn.text for turn in shown.turns] == ["what i wrote"]


def test_a_worker_that_stops_gives_back_what_has_not_begun(world: HumanWorld) -> None:
    began, waits, rates = world.claim(0), world.claim(1), world.claim(2)
    chats = [partner(world, began, None), leased(world, waits), partner(world, rates, None)]
    world.closed(rates)
    conversations.dropped(world.db, chats)
    conversations.dropped(world.db, chats)
    assert state(world, chats[0]) == (ChatState.VOID, "worker_lost", None)
    assert conversations.waiting(world.db) == [waits]
    assert world.view(rates).state is ChatState.RATING
    assert leased(world, waits, worker="w2").fence > chats[1].fence


def test_nobody_is_called_for_a_closed_evaluation_or_an_overdue_task(world: HumanWorld) -> None:
    number, other = world.claim(0), world.claim(1)
    world.pass_(seconds=world.view(number).protocol.wait_seconds - 1)
    assert conversations.waiting(world.db) == [number, other]
    world.pass_(seconds=2)
    assert conversations.lease(world.db, number, worker="w1") is None
    assert world.view(number).void_code == "no_worker"
    fresh = world.claim(2)
    opening.close_evaluation(world.db, world.competition_id, reason="enough")
    assert conversations.look(world.db, {}).waiting == ()
    assert conversations.lease(world.db, fresh, worker="w1") is None


def test_a_finalist_that_is_withheld_is_not_started(world: HumanWorld) -> None:
    number = world.claim()
    with world.db.write() as session:
        finalist = session.get_one(Finalist, world.conversation(number).finalist_id)
        session.get_one(Attempt, finalist.attempt_id).withheld = "under review"
    assert conversations.lease(world.db, number, worker="w1") is None
    assert world.view(number).void_code == "withheld"


def test_what_finalists_need_is_kept(world: HumanWorld) -> None:
    kept = conversations.kept(world.db)
    assert (len(kept.commits), kept.images, kept.environments) == (
        3,
        frozenset({"sha256:1"}),
        frozenset(),
    )
    with world.db.write() as session:
        for finalist in session.query(Finalist):
            finalist.passed_over = "its agent cannot chat"
    assert conversations.kept(world.db) == Kept()
