"""Asks the repositories of a round's teams where their branches point, a few at a time.

It runs beside the sweep, so a repository that does not answer holds up nothing but its own place.
Two beats may ask the same repository: the first answer is kept, by compare-and-swap.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Thread

from harness.errors import RostrumError
from leaderboard import resolutions
from leaderboard.resolutions import Branch
from worker.stopped import Stopped
from worker.tree import commit_of
from worker.workplace import Workplace

AT_ONCE = 8
SECONDS = 30.0
"""The most that one repository may take to answer."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Asking:
    """Resolves what rounds have submitted; `go` starts it in a thread, `close` ends it."""

    workplace: Workplace
    seconds: float = SECONDS
    _thread: Thread | None = None
    _stop: Event = field(default_factory=Event)

    def go(self) -> None:
        """Ask about every branch that waits for its commit, unless that goes on already."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = Thread(target=self._ask_or_log, name="rostrum-round", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until everybody was asked."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """End what goes on; who was not asked yet is asked by the next beat, or the worker."""
        self._stop.set()
        self.wait()

    def ask(self) -> int:
        """Ask about every branch that waits for its commit; how many were recorded."""
        branches = resolutions.unresolved(self.workplace.db)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rostrum-branch") as pool:
            return sum(pool.map(self._recorded, branches))

    def _ask_or_log(self) -> None:
        try:
            self.ask()
        except Exception:  # a database that is away may be back at the next sweep
            _log.exception("the branches of a round were not resolved")

    def _recorded(self, branch: Branch) -> bool:
        """Ask one repository and write down what it says; whether a commit was recorded."""
        if self._stop.is_set():
            return False
        db = self.workplace.db
        try:
            commit = self._commit(branch)
        except Stopped:
            return False
        except RostrumError as error:
            _log.warning("not resolved: submission=%d code=%s", branch.submission_id, error.code)
            resolutions.unanswered(db, branch, reason=_words(error))
            return False
        recorded = resolutions.record(db, branch, commit)
        _log.info("resolved: submission=%d commit=%s", branch.submission_id, commit)
        return recorded

    def _commit(self, branch: Branch) -> str:
        return commit_of(
            self.workplace,
            branch.repo_url,
            branch.ref,
            team_id=branch.team_id,
            seconds=self.seconds,
            stop=self._stop,
        )


def _words(error: RostrumError) -> str:
    """Why there is no commit, for the round's list: nothing that a server said."""
    detail = f" ({error.detail})" if error.detail else ""
    return f"the repository did not say where it points, {error.code}{detail}"
