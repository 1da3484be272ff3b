"""Which finalist a rater gets: balance, places, rests, and the three calm refusals."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import humanworld
import pytest
from humanworld import OTHER_TAB, TAB, HumanWorld
from sqlalchemy import delete, func, select

from harness.dialogue import Dialogue, Example
from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import conversations
from leaderboard.db.models import Attempt, DataSet
from leaderboard.db.people import Conversation, Finalist
from leaderboard.human import claims, invitations, moves, opening, talk
from leaderboard.human.claims import Desk
from leaderboard.human.stages import ChatState


def refusal(world: HumanWorld, place: int = 0) -> tuple[str, str]:
    """Why this rater gets no conversation; the desk says the same as a claim."""
    with pytest.raises(UsageError) as caught:
        world.claim(place)
    desk = claims.desk(world.db, world.raters[place].id)
    assert (desk.may_start, desk.code, desk.sentence) == (
        False,
        caught.value.code,
        caught.value.message,
    )
    return caught.value.code, caught.value.message


def desk(world: HumanWorld, place: int = 0) -> Desk:
    return claims.desk(world.db, world.raters[place].id)


def leave(world: HumanWorld, chat: int) -> None:
    talk.leave(world.db, world.rater_of(chat), chat, tab=TAB)


def fail(world: HumanWorld, chat: int, error: SubmissionError | OperatorError) -> None:
    """The partner comes and then fails."""
    conversations.fail(world.db, humanworld.partner(world, chat, None), error)


def withhold(world: HumanWorld, finalist_id: int) -> None:
    with world.db.write() as session:
        finalist = session.get_one(Finalist, finalist_id)
        session.get_one(Attempt, finalist.attempt_id).withheld = "under review"
        moves.void_of_attempt(session, finalist.attempt_id, "withheld")


def test_a_rater_has_one_conversation_at_a_time(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path)
    start = desk(world)
    assert (start.may_start, start.current, start.rated, start.share) == (True, None, 0, 3)
    chat = world.claim()
    assert (desk(world).current, desk(world).may_start) == (chat, True)
    assert world.claim() == chat
    world.rated(chat)
    assert (desk(world).current, desk(world).rated) == (None, 1)
    assert "1 conversation of 3" in desk(world).sentence
    assert world.claim() != chat


@pytest.mark.one_database("sqlite")  # 2,400 turns, and no rule but one of arithmetic
def test_sixty_ratings_are_balanced(tmp_path: Path) -> None:
    world = humanworld.opened(
        tmp_path, finalists=4, raters=20, ratings=40, share=3, minimum_turns=1
    )
    for round_ in range(3):
        started = [(place, world.claim(place)) for place in range(20)]
        for _, chat in started:
            humanworld.partner(world, chat, None)
        for place, chat in started:
            conversations.beat(world.db, {number: 1 for _, number in started})
            if place % 5 == round_:  # now and then somebody leaves and begins another one
                leave(world, chat)
                chat = world.claim(place)  # noqa: PLW2901
            world.rated(chat)
        counts = valid(world)
        assert sum(counts.values()) == 20 * (round_ + 1)
        assert max(counts.values()) - min(counts.values()) <= 2, counts
    with world.db.read() as session:
        pairs = session.execute(
            select(Conversation.rater_id, Conversation.finalist_id).where(
                Conversation.state == ChatState.RATED
            )
        ).all()
    assert len(pairs) == len(set(pairs)) == 60, "nobody rates a partner twice"
    assert refusal(world)[0] == "share_done"


def valid(world: HumanWorld) -> Counter[int]:
    with world.db.read() as session:
        rows = session.execute(
            select(Finalist.id, func.count(Conversation.id))
            .join(Conversation, Conversation.finalist_id == Finalist.id)
            .where(Conversation.state == ChatState.RATED)
            .group_by(Finalist.id)
        )
        return Counter({row[0]: row[1] for row in rows})


def test_two_raters_at_once_for_the_last_place(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=6, ratings=1)
    gate = Barrier(6)

    def claim(place: int) -> str:
        gate.wait()
        try:
            return f"conversation {world.claim(place)}"
        except UsageError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        outcomes = Counter(pool.map(claim, range(6)))
    assert outcomes == {"conversation 1": 1, "try_later": 5}


def test_one_rater_clicks_many_times_and_gets_one(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path)
    gate = Barrier(6)

    def claim(number: int) -> int:
        gate.wait()
        return world.claim(tab=f"{number:016x}")

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(claim, range(6))) == {1}


def test_a_place_comes_back(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=3, ratings=1)
    chat = world.claim(0)
    assert refusal(world, 1)[0] == "try_later"
    leave(world, chat)
    other = world.claim(1)
    world.rated(other)
    assert refusal(world, 2)[0] == "none_left"
    assert refusal(world, 1)[0] == "share_done", "they have rated every finalist"


def test_the_refusals_are_three_sentences(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=2, raters=4, ratings=1, share=1)
    world.rated(world.claim(0))
    open_chat = world.claim(1)
    said = {refusal(world, 0), refusal(world, 2)}
    world.rated(open_chat)
    said.add(refusal(world, 3))
    assert {code for code, _ in said} == {"share_done", "try_later", "none_left"}
    assert len({sentence for _, sentence in said}) == 3


def test_nobody_is_offered_who_is_withheld_or_passed_over(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=3, raters=1)
    with world.db.write() as session:
        finalists = session.scalars(select(Finalist).order_by(Finalist.place)).all()
        finalists[0].passed_over = "its agent cannot chat"
        left = finalists[2].id
    withhold(world, finalists[1].id)
    chat = world.claim()
    assert world.conversation(chat).finalist_id == left
    withhold(world, left)
    assert world.view(chat).void_code == "withheld"
    assert refusal(world)[0] == "none_left"


def test_a_revoked_raters_ratings_are_wanted_again(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=2, ratings=1)
    world.rated(world.claim(0))
    assert refusal(world, 1)[0] == "none_left"
    invitations.revoke(world.db, world.competition_id, "rater-1", reason="clicked at random")
    world.rated(world.claim(1))
    with pytest.raises(UsageError) as caught:
        world.claim(0)
    assert caught.value.code == "link_revoked"


def test_a_partner_that_fails_again_and_again_rests(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=1)
    for _ in range(claims.REST_AFTER):
        fail(world, world.claim(), SubmissionError("crashed"))
        world.pass_(seconds=20)
    assert refusal(world)[0] == "try_later"
    world.pass_(seconds=claims.REST.total_seconds())
    world.rated(world.claim())


def test_leaving_makes_no_partner_rest(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=1)
    for _ in range(claims.REST_AFTER + 2):
        leave(world, world.claim())
    assert world.view(world.claim()).state is ChatState.WAITING


def test_after_a_failure_the_rater_meets_somebody_else(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=2, raters=1)
    chat = world.claim()
    fail(world, chat, OperatorError("engine_down"))
    other = world.claim()
    first, second = (world.conversation(number).finalist_id for number in (chat, other))
    assert first != second


def test_an_overdue_conversation_is_not_gone_on_with(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path)
    chat = world.claim()
    world.pass_(seconds=world.view(chat).protocol.wait_seconds + 1)
    assert world.claim(tab=OTHER_TAB) != chat
    assert world.view(chat).void_code == "no_worker"


def test_before_the_opening_and_after_the_close(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path)
    chat = world.claim(0)
    opening.close_evaluation(world.db, world.competition_id, reason="enough")
    assert refusal(world, 1)[0] == "human_closed"
    assert refusal(world, 0)[0] == "human_closed"
    assert world.view(chat).void_code == "closed"
    assert desk(world).current is None


@pytest.mark.parametrize("tab", ["", "not hex", "ab" * 20])
def test_a_tab_is_short_hex(tmp_path: Path, tab: str) -> None:
    world = humanworld.opened(tmp_path)
    with pytest.raises(UsageError) as caught:
        world.claim(tab=tab)
    assert caught.value.code == "bad_answer"
    assert desk(world).current is None


def test_every_conversation_has_its_own_personas_and_ids(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, finalists=1, raters=12, ratings=12)
    drawn = [world.conversation(world.claim(place)) for place in range(12)]
    for row in drawn:
        three = [row.rater_persona, row.partner_persona, row.distractor]
        assert all(tuple(persona) in humanworld.PERSONAS for persona in three)
        assert len({sentence for persona in three for sentence in persona}) == 9
        assert len(set(row.choices)) == 2
    assert len({tuple(row.partner_persona) for row in drawn}) > 3
    assert len({name for row in drawn for name in row.choices}) == 24


def test_personas_that_are_too_alike_stop_the_opening(tmp_path: Path) -> None:
    talk_ = (Example(partner=("hi",), replies=("hi",)),)
    alike = [
        Dialogue(id=str(n), persona=("I like tea.", f"my number is {n} ."), examples=talk_)
        for n in range(1, 31)
    ]
    with pytest.raises(UsageError, match=r"the 30 personas .* hold no three") as caught:
        humanworld.opened(tmp_path, people=alike)
    assert caught.value.code == "bad_data"


def test_personas_that_have_gone_missing_are_the_organizers_to_mend(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = humanworld.opened(tmp_path)
    with world.db.write() as session:
        session.execute(delete(DataSet))
    with pytest.raises(UsageError) as caught:
        world.claim()
    assert (caught.value.code, caught.value.message) == ("try_later", claims.REFUSALS["try_later"])
    assert "has no personas set" in caplog.text
    assert desk(world).current is None
