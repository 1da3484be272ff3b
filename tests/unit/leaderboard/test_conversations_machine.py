"""Whatever raters, workers, organizers and clocks do in any order, some things stay true."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import humanworld
from humanworld import TAB
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import conversations
from leaderboard.conversations import Chat, Lost
from leaderboard.db.people import ChatTurn, Conversation, Finalist, Judgement
from leaderboard.human import claims, invitations, moves, talk
from leaderboard.human.stages import CHAT_STAGES, ChatState, Speaker

RATERS = 3
MINIMUM = 2
PLACES = st.integers(0, RATERS - 1)
ERRORS = st.sampled_from(
    [SubmissionError("crashed"), SubmissionError("batch_timeout"), OperatorError("engine_down")]
)
REFUSED = {
    "already_answered",
    "bad_answer",
    "chat_over",
    "link_revoked",
    "none_left",
    "not_your_conversation",
    "not_your_turn",
    "other_tab",
    "share_done",
    "too_early",
    "try_later",
}


class Conversations(RuleBasedStateMachine):
    """Three raters, two finalists, one worker that may be killed, an organizer."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="rostrum-machine-")
        self.world = humanworld.opened(
            Path(self.folder.name), finalists=2, raters=RATERS, ratings=4, minimum_turns=MINIMUM
        )
        self.said: dict[int, list[tuple[int, str]]] = {}
        self.ends: dict[int, tuple[ChatState, str | None]] = {}
        self.versions: dict[int, int] = {}

    def teardown(self) -> None:
        self.world.db.close()
        self.folder.cleanup()

    def current(self, place: int) -> int:
        """The last conversation of this rater, or one that does not exist."""
        with self.world.db.read() as session:
            chosen = select(Conversation.id).where(
                Conversation.rater_id == self.world.raters[place].id
            )
            return session.scalar(chosen.order_by(Conversation.id.desc()).limit(1)) or 999

    @initialize()
    def begin(self) -> None:
        for place in range(RATERS):
            self.world.claim(place)

    @rule(place=PLACES, tab=st.sampled_from([TAB, humanworld.OTHER_TAB]))
    def claim(self, place: int, tab: str) -> None:
        self.asks(lambda: claims.claim(self.world.db, self.world.raters[place].id, tab=tab))

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def lease(self, worker: str) -> None:
        for number in conversations.waiting(self.world.db)[:1]:
            chat = conversations.lease(self.world.db, number, worker=worker)
            if chat is not None:
                self.world.chats[number] = chat

    @rule()
    def lease_and_open_all(self) -> None:
        self.lease("w1")
        for chat in self.world.chats.values():
            self.works(lambda chat=chat: conversations.opened(self.world.db, chat))  # type: ignore[misc]

    @rule(reply=st.sampled_from(["fine , and you ?", "i like it .", "why ?", ""]))
    def answer_all(self, reply: str) -> None:
        for question in conversations.look(self.world.db, self.held()).questions:
            chat = self.world.chats[question.conversation_id]
            self.works(
                lambda chat=chat, number=question.number: conversations.answer(  # type: ignore[misc]
                    self.world.db, chat, number=number, text=reply
                )
            )

    @rule(place=PLACES, error=ERRORS, chance=st.integers(0, 3))
    def fail(self, place: int, error: SubmissionError | OperatorError, chance: int) -> None:
        chat = self.chat(place)
        if chat is not None and chance == 0:
            conversations.fail(self.world.db, chat, error)

    @rule(chance=st.integers(0, 3))
    def stop_the_worker(self, chance: int) -> None:
        if chance == 0:
            conversations.dropped(self.world.db, self.world.chats.values())

    @rule()
    def beat(self) -> None:
        conversations.beat(self.world.db, self.held())

    @rule(place=PLACES, other=PLACES, client=st.sampled_from(["0a0a", "0b0b", "0c0c", "0d0d"]))
    def say(self, place: int, other: int, client: str) -> None:
        number = self.current(other)
        self.asks(
            lambda: talk.say(
                self.world.db,
                self.world.raters[place].id,
                number,
                tab=TAB,
                client_id=client,
                text=f"hello from {client}",
            )
        )

    @rule(place=PLACES)
    def exchange(self, place: int) -> None:
        """The common case, so that talks get somewhere: claimed, opened, one turn answered."""
        self.claim(place, TAB)
        self.lease_and_open_all()
        number = self.current(place)
        self.asks(lambda: self.world.say(number, "how are you ?") if number != 999 else None)
        self.answer_all("fine , and you ?")

    @rule(place=PLACES)
    def talk_to_the_questions(self, place: int) -> None:
        """As above: some talks must come to their end."""
        for _ in range(MINIMUM):
            self.exchange(place)
        self.close(place)

    @rule(place=PLACES, value=st.integers(1, 4), which=st.integers(0, 1))
    def answer_both(self, place: int, value: int, which: int) -> None:
        self.enjoy(place, value)
        self.tell_apart(place, which)

    @rule(place=PLACES)
    def close(self, place: int) -> None:
        self.asks(
            lambda: talk.close(
                self.world.db, self.world.raters[place].id, self.current(place), tab=TAB
            )
        )

    @rule(place=PLACES, chance=st.integers(0, 3))
    def leave(self, place: int, chance: int) -> None:
        if chance:
            return
        self.asks(
            lambda: talk.leave(
                self.world.db, self.world.raters[place].id, self.current(place), tab=TAB
            )
        )

    @rule(place=PLACES, value=st.integers(0, 5))
    def enjoy(self, place: int, value: int) -> None:
        self.asks(
            lambda: talk.judge_enjoyment(
                self.world.db, self.world.raters[place].id, self.current(place), value=value
            )
        )

    @rule(place=PLACES, which=st.integers(0, 1))
    def tell_apart(self, place: int, which: int) -> None:
        number, rater = self.current(place), self.world.raters[place].id

        def answer() -> None:
            shown = talk.view(self.world.db, rater, number, tab=TAB)
            choice = shown.choices[which].id if shown.choices else "0" * 8
            talk.judge_persona(self.world.db, rater, number, choice=choice)

        self.asks(answer)

    @rule(place=PLACES, seconds=st.sampled_from([1, 605]))
    def answer_one_and_be_gone(self, place: int, seconds: int) -> None:
        self.enjoy(place, 3)
        self.wait(seconds)
        self.claim(place, TAB)

    @rule(seconds=st.sampled_from([1, 2, 8, 20, 35, 91, 185, 605]))
    def wait(self, seconds: int) -> None:
        self.world.pass_(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        conversations.sweep(self.world.db)

    @rule(place=PLACES, chance=st.integers(0, 5))
    def revoke(self, place: int, chance: int) -> None:
        if chance == 0:
            name = self.world.raters[place].name
            invitations.revoke(self.world.db, self.world.competition_id, name, reason="asked")

    @rule(chance=st.integers(0, 5))
    def withhold(self, chance: int) -> None:
        if chance == 0:
            with self.world.db.write() as session:
                attempt = session.scalars(select(Finalist.attempt_id)).first()
                assert attempt is not None
                moves.void_of_attempt(session, attempt, "withheld")

    def held(self) -> dict[int, int]:
        return {chat.id: chat.fence for chat in self.world.chats.values()}

    def chat(self, place: int) -> Chat | None:
        return self.world.chats.get(self.current(place))

    def asks(self, ask: Callable[[], object]) -> None:
        """A rater asks; what is refused is refused with a code that raters may see."""
        try:
            ask()
        except UsageError as error:
            if error.code not in REFUSED:
                raise

    def works(self, work: Callable[[], object]) -> None:
        """A worker works, perhaps for a lease that has ended."""
        with suppress(Lost):
            work()

    @invariant()
    def stays_true(self) -> None:
        with self.world.db.read() as session:
            rows = session.scalars(select(Conversation)).all()
            turns = session.scalars(select(ChatTurn).order_by(ChatTurn.number)).all()
            judged = {row.conversation_id: row for row in session.scalars(select(Judgement))}
        open_of = [row.rater_id for row in rows if not CHAT_STAGES[row.state].final]
        assert len(open_of) == len(set(open_of)), "at most one unfinished conversation each"
        for row in rows:
            mine = [turn for turn in turns if turn.conversation_id == row.id]
            self._expect_talk(row, mine)
            judgement = judged.get(row.id)
            if row.state in (ChatState.RATING, ChatState.RATED):
                assert len(mine) >= 2 * MINIMUM, "served before it is judged"
                assert len(mine) % 2 == 0, "no reply is awaited"
            if row.state is ChatState.RATED:
                assert judgement is not None
                assert judgement.enjoyment in (1, 2, 3, 4)
            if row.state not in (ChatState.RATING, ChatState.RATED):
                assert judgement is None, "nothing is judged that is void or not over"
            if judgement is not None:
                assert (judgement.choice is None) == (judgement.detected is None)
            assert (row.state is ChatState.VOID) == (row.void_code is not None)
            assert CHAT_STAGES[row.state].final == (row.ended_at is not None)
            assert CHAT_STAGES[row.state].leased == (row.worker is not None)

    def _expect_talk(self, row: Conversation, mine: list[ChatTurn]) -> None:
        said = [(turn.number, turn.text) for turn in mine]
        before = self.said.get(row.id, [])
        assert said[: len(before)] == before, "turns never vanish"
        assert [turn.number for turn in mine] == list(range(len(mine)))
        speakers = [Speaker.PARTNER if turn.number % 2 else Speaker.RATER for turn in mine]
        assert [turn.speaker for turn in mine] == speakers, "turns alternate"
        if len(said) != len(before):
            assert row.version > self.versions.get(row.id, -1), "the page hears of a turn"
        end = self.ends.get(row.id)
        assert end is None or end == (row.state, row.void_code), "what has ended stays as it is"
        if CHAT_STAGES[row.state].final:
            self.ends[row.id] = (row.state, row.void_code)
        self.said[row.id] = said
        assert row.version >= self.versions.get(row.id, 0)
        self.versions[row.id] = row.version


Conversations.TestCase.settings = settings(max_examples=20, stateful_step_count=50, deadline=None)
TestConversations = Conversations.TestCase
