"""A spare: a finalist's cell, started, loaded and tried before anybody needs it.

A spare serves one conversation and is then gone, as any cell of a chat: it saves the rater the
wait for container and weights, and nothing of one talk reaches another. Its thread starts the cell,
looks whether the agent still answers, and lends itself to the conversation, because a cell of
bubblewrap dies with the thread that started it.
"""

import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from harness.agent import check_replies
from harness.dialogue import Context, Turn
from harness.errors import OperatorError, SubmissionError
from harness.remote.client import RemoteAgent
from leaderboard.conversations import Partner
from worker.converse.seat import Seat, load, spare_of
from worker.sandbox import Cell
from worker.stopped import Stopped
from worker.workplace import Workplace

GLANCE_SECONDS = 1.0
"""How often a spare is looked at that nobody needs yet."""

PROBE_SECONDS = 60.0
"""How often it is asked something, so that one which has stopped answering is not lent."""

OLDEST_SECONDS = 6 * 3600.0
"""After so long it is replaced: a cell has a deadline, and the talk must end before it."""

_PROBE = Context("probe", turns=(Turn("partner", "hello , how are you today ?"),))
_log = logging.getLogger(__name__)

Work = Callable[[Cell, Seat], None]


class _Loan:
    """One conversation's use of a spare: what is done in its thread, and what came of it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done = Event()
        self.error: BaseException | None = None


class Spare:
    """One cell in waiting. `ready` is set while it may be lent, `gone` once its cell has ended.

    `failed` says that it could not be made ready, or stopped answering.
    """

    def __init__(self, workplace: Workplace, partner: Partner) -> None:
        self.partner = partner
        self.ready = Event()
        self.gone = Event()
        self.failed = False
        self._workplace = workplace
        self._stop = Event()
        self._desk: SimpleQueue[_Loan | None] = SimpleQueue()
        self._lock = Lock()
        self._agent: RemoteAgent | None = None
        self._thread = Thread(
            target=self._run, name=f"rostrum-spare-{partner.attempt_id}", daemon=True
        )

    def start(self) -> None:
        """Begin to make the cell ready."""
        self._thread.start()

    def lend(self, work: Work) -> bool:
        """Do `work` in this cell's thread, and wait; what it raises is raised here.

        False if the cell has ended before the work began: then nothing of it was done.
        """
        loan = _Loan(work)
        self._desk.put(loan)
        while not loan.done.wait(GLANCE_SECONDS):
            if self.gone.is_set() and not loan.done.is_set():
                return False
        if loan.error is not None:
            raise loan.error
        return True

    def leave(self) -> None:
        """End the cell, unless it is lent: then it ends with its conversation."""
        self._stop.set()
        with self._lock:
            if self._agent is not None:
                self._agent.interrupt()
        self._desk.put(None)

    def _run(self) -> None:
        try:
            self._serve()
        except Stopped:
            pass
        except (SubmissionError, OperatorError) as error:
            self.failed = True
            _log.warning("no spare: attempt=%d code=%s", self.partner.attempt_id, error.code)
        except Exception:  # a bug of ours, or a database that is away: chats start their own cells
            self.failed = True
            _log.exception("no spare: attempt=%d", self.partner.attempt_id)
        finally:
            self.ready.clear()
            self.gone.set()

    def _serve(self) -> None:
        """From the seat to the end of the cell."""
        seat = spare_of(self._workplace, self.partner, stop=self._stop)
        with seat.sandbox.start(seat.job) as cell:
            loan = self._wait(cell, seat)
            if loan is not None:
                self._lent(loan, cell, seat)
            if not cell.finish().gone:
                _log.error("not verified to be gone: cell=%s", seat.job.name)

    def _wait(self, cell: Cell, seat: Seat) -> _Loan | None:
        """Make the agent ready and keep it so, until it is lent or to end."""
        with self._lock:
            self._agent = cell.agent
        try:
            self._expect_wanted()
            load(cell.agent, seat, self.partner)
            _probe(cell.agent)
            self.ready.set()
            _log.info("spare ready: attempt=%d cell=%s", self.partner.attempt_id, seat.job.name)
            return self._next(cell.agent)
        except (SubmissionError, OperatorError):
            self._expect_wanted()  # the error may be an echo of the end
            raise
        finally:
            self.ready.clear()
            with self._lock:
                self._agent = None

    def _next(self, agent: RemoteAgent) -> _Loan | None:
        born = probed = time.monotonic()
        while True:
            try:
                return self._desk.get(timeout=GLANCE_SECONDS)
            except Empty:
                now = time.monotonic()
            if agent.hung_up():
                raise SubmissionError("early_exit")
            if now - born > OLDEST_SECONDS:
                return None
            if now - probed > PROBE_SECONDS:
                _probe(agent)
                probed = time.monotonic()

    def _lent(self, loan: _Loan, cell: Cell, seat: Seat) -> None:
        try:
            loan.work(cell, seat)
        except BaseException as error:  # raised again in the thread of the conversation
            loan.error = error
        finally:
            loan.done.set()

    def _expect_wanted(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _probe(agent: RemoteAgent) -> None:
    """One reply, checked as any other; the agent keeps nothing of it, by contract."""
    check_replies(agent.respond([_PROBE]), count=1)
