"""One live chat: a thread that starts the finalist's cell, answers in it turn by turn, and ends it.

The thread holds the cell because a cell of bubblewrap dies with the thread that started it. Others
hand it questions and tell it to end; they never touch the cell.
"""

import hmac
import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from harness.agent import check_replies
from harness.dialogue import Context, Turn
from harness.errors import OperatorError, SubmissionError
from harness.remote.client import RemoteAgent
from leaderboard import conversations
from leaderboard.conversations import Chat, Question
from worker.blame import judge
from worker.converse.seat import Seat, load, seat_of
from worker.converse.spare import Spare
from worker.sandbox import Cell
from worker.sandbox.cell import AlreadyRunningError
from worker.stopped import Stopped
from worker.workplace import Workplace

GLANCE_SECONDS = 1.0
"""How often a partner whom nobody asks anything is looked at: one that has left is soon missed."""

_LATE = frozenset({"batch_timeout", "total_timeout"})
_log = logging.getLogger(__name__)


class ChatThread:
    """One leased conversation. All methods are the loop's; the thread is inside.

    `done` is set once the cell is gone and everything is written; `opened` tells whether the
    partner was ever ready. `wake` is called at the end. A `spare` is used if it still can be.
    """

    def __init__(
        self,
        workplace: Workplace,
        chat: Chat,
        *,
        wake: Callable[[], None],
        spare: Spare | None = None,
    ) -> None:
        self.chat = chat
        self.done = Event()
        self.opened = False
        self._workplace = workplace
        self._wake = wake
        self._spare = spare
        self._stop = Event()
        self._inbox: SimpleQueue[Question | None] = SimpleQueue()
        self._asked = -1
        self._lock = Lock()
        self._agent: RemoteAgent | None = None
        self._deadline: float | None = None
        self._late = False
        self._thread = Thread(target=self._run, name=f"rostrum-chat-{chat.id}", daemon=True)

    def start(self) -> None:
        """Begin: make the partner ready, open the conversation, wait for questions."""
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Hand over a question with the seconds that are left for it; a known one is passed by."""
        if question.number <= self._asked:
            return
        self._asked = question.number
        with self._lock:
            self._deadline = time.monotonic() + question.seconds_left
        self._inbox.put(question)

    def watch(self, now: float) -> None:
        """Interrupt the partner if the deadline of its question has passed."""
        with self._lock:
            if self._deadline is None or now < self._deadline:
                return
            self._deadline = None
            self._late = True
            if self._agent is not None:
                self._agent.interrupt()

    def leave(self) -> None:
        """End the chat without a word to the database: it has ended there, or will have."""
        self._stop.set()
        with self._lock:
            if self._agent is not None:
                self._agent.interrupt()
        self._inbox.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the end; whether it came."""
        return self.done.wait(max(0.0, seconds))

    def _run(self) -> None:
        try:
            self._chat()
        except Stopped:
            _log.info("ended: conversation=%d", self.chat.id)
        except conversations.Lost as lost:
            _log.info("over: conversation=%d reason=%s", self.chat.id, lost)
        except AlreadyRunningError:
            _log.warning("a newer lease is at work: conversation=%d", self.chat.id)
        except (SubmissionError, OperatorError) as error:
            self._fail(error)
        except Exception:  # a bug of ours: the traceback stays here, the rater reads one sentence
            _log.exception("evaluator bug: conversation=%d", self.chat.id)
            self._fail(OperatorError("evaluator_bug"))
        finally:
            self.done.set()
            self._wake()

    def _chat(self) -> None:
        """In a spare cell if there is one that answers, else in a cell of its own."""
        self._check()
        if self._spare is not None and self._spare.lend(self._in_spare):
            return
        seat = seat_of(self._workplace, self.chat, stop=self._stop)
        with seat.turn(self._stop), seat.sandbox.start(seat.job) as cell:
            self._in_cell(cell, seat, loaded=False)

    def _in_spare(self, cell: Cell, seat: Seat) -> None:
        _log.info("ready at once: conversation=%d cell=%s", self.chat.id, seat.job.name)
        self._in_cell(cell, seat, loaded=True)

    def _in_cell(self, cell: Cell, seat: Seat, *, loaded: bool) -> None:
        """From the first word to the end of the cell; what went wrong is raised once it is gone."""
        raised: SubmissionError | OperatorError | None = None
        try:
            self._talk(cell.agent, seat, loaded=loaded)
        except (SubmissionError, OperatorError) as error:
            raised = error
            if self._late:  # nobody shall wait until the cell has been taken away
                self._fail(error)
        finally:
            ended = cell.finish()
        if not ended.gone:
            _log.error("not verified to be gone: cell=%s", seat.job.name)
        self._check()
        if raised is not None and not self._late:
            raise judge(raised, ended) or raised

    def _talk(self, agent: RemoteAgent, seat: Seat, *, loaded: bool) -> None:
        """Have the agent loaded, open the conversation, answer until somebody ends it."""
        with self._lock:
            self._agent = agent
        try:
            self._check()
            if not loaded:
                load(agent, seat, self.chat)
            conversations.opened(self._workplace.db, self.chat)
            self.opened = True
            _log.info("open: conversation=%d sandbox=%s", self.chat.id, seat.sandbox.name)
            while (question := self._next(agent)) is not None:
                self._answer(agent, question)
        finally:
            with self._lock:
                self._agent = None

    def _next(self, agent: RemoteAgent) -> Question | None:
        """The next question; None at the end. A partner that leaves meanwhile is an error."""
        while True:
            try:
                return self._inbox.get(timeout=GLANCE_SECONDS)
            except Empty:
                if agent.hung_up():
                    raise SubmissionError("early_exit") from None

    def _answer(self, agent: RemoteAgent, question: Question) -> None:
        try:
            (text,) = check_replies(agent.respond([context_of(self.chat, question)]), count=1)
        except SubmissionError as error:
            self._check()
            with self._lock:
                self._late = self._late or error.code in _LATE
                self._deadline = None
            raise SubmissionError("batch_timeout") if self._late else error from error
        with self._lock:
            self._deadline = None
            if self._late:
                raise SubmissionError("batch_timeout")
        conversations.answer(self._workplace.db, self.chat, number=question.number, text=text)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _fail(self, error: SubmissionError | OperatorError) -> None:
        """Say whose fault the end is, unless somebody else has ended the chat before."""
        if self._stop.is_set():  # the error is an echo of the stop
            return
        _log.warning(
            "failed: conversation=%d code=%s detail=%s reason=%s",
            self.chat.id,
            error.code,
            error.detail if isinstance(error, SubmissionError) else None,
            error.message if isinstance(error, OperatorError) else "theirs",
        )
        try:
            conversations.fail(self._workplace.db, self.chat, error)
        except conversations.Lost:
            _log.info("failed too late: conversation=%d", self.chat.id)
        except Exception:  # the database is away; the sweep will find the chat silent
            _log.exception("the failure was not written: conversation=%d", self.chat.id)


def context_of(chat: Chat, question: Question) -> Context:
    """What the partner is given: the whole talk from its side, under a name used only once."""
    name = hmac.digest(chat.secret, str(question.number).encode("ascii"), "sha256").hex()[:32]
    turns = tuple(
        Turn("self" if speaker == "partner" else "partner", text)
        for speaker, text in question.turns
    )
    return Context(id=name, persona=chat.persona, turns=turns)
