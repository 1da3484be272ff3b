"""A run by hand that may be stopped: where its journal lies, and what is said when it stops."""

import hashlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from harness.agent import Track
from harness.cli.progress import Show
from harness.journal import Journal

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended: 128 + SIGINT."""

_AGAIN_SECONDS = 0.5
"""Two interrupts within this time are one: a terminal tells the group, a parent tells its child."""

_KEPT_SECONDS = 30 * 86400.0
"""How long a journal waits that nobody named."""

_MAX_FILES = 10_000
_READ_BYTES = 1 << 20
_READ_IN_ALL = 256 << 20


class Unfinished:
    """A run that has not reported yet, and its journal: `resume`, or one among the user's own.

    `folder` holds the agent's files, but for `apart`, which the run itself writes.
    """

    def __init__(self, track: Track, resume: Path | None, *, folder: Path, apart: Path | None):
        self._own = resume is None
        self._asked = 0
        self._total: int | None = None
        self.journal: Journal | None = None
        """None where there is no place to keep one: such a run is still a run."""
        path = resume or _new_path(track)
        if path is not None:
            self.journal = Journal(path, agent=files_digest(folder, apart=apart))
        if resume is not None and not resume.exists():
            click.echo(f"{resume} is new: nothing was answered before", err=True)

    @property
    def before(self) -> int:
        """How many answers the journal held when the run began."""
        return self.journal.before if self.journal is not None else 0

    def watched(self, show: Show) -> Show:
        """What shows the progress, and lets this know of it."""

        def watch(done: int, total: int | None) -> None:
            self._asked, self._total = done, total
            show(done, total)

        return watch

    def stopped(self, reason: str) -> str:
        """One sentence of a run that ends too early: how far it was, how to go on."""
        answered = self.journal.answered if self.journal is not None else self._asked
        of = f" of {self._total:,}" if self._total is not None else ""
        if not answered:
            return f"{reason} before the first answer"
        told = f"{reason} after {answered:,}{of} examples"
        if self.journal is None:
            return f"{told}; there was no place to keep the answers"
        return f"{told}; go on with: {_again(self.journal.path)}"

    def tell(self, reason: str) -> None:
        """Say on standard error how to go on after an error, if anything was answered here."""
        if self.journal is not None and self.journal.answered > self.journal.before:
            click.echo(f"{self.stopped(reason)}", err=True)

    def leave(self) -> None:
        """Keep a journal that somebody may go on with, forget one of nothing."""
        if self.journal is not None and self._own and not self.journal.answered:
            self.over()

    def over(self) -> None:
        """Forget the journal: its answers are reported."""
        if self.journal is not None:
            self.journal.remove()


def _new_path(track: Track) -> Path | None:
    """A name for a new journal in the user's state folder, old ones removed; None without one."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "rostrum"
    try:
        state.mkdir(parents=True, exist_ok=True)
        for old in state.glob("*.journal"):
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                old.unlink()
    except (OSError, RuntimeError):  # a home that is not known is a RuntimeError
        return None
    name = f"{track}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.journal"
    return state / name if os.access(state, os.W_OK) else None


def files_digest(folder: Path, *, apart: Path | None) -> str:
    """A hash of the agent's files: their names and contents, of large ones size and time instead.

    Hidden files and byte code are passed over, and all after the first 10,000.
    """
    total = hashlib.sha256()
    left = _READ_IN_ALL
    for path in _files(folder):
        if apart is not None and path.name.startswith(apart.name.removesuffix(".json")):
            continue
        try:
            facts = path.stat()
            small = facts.st_size <= min(_READ_BYTES, left)
            content = path.read_bytes() if small else b""
        except OSError:
            continue
        left -= len(content)
        stamp = "" if small else f"{facts.st_size} {facts.st_mtime_ns}"
        name = os.fsencode(path.relative_to(folder))
        total.update(b"%d %b\0%d %b" % (len(name), name, len(content), stamp.encode()) + content)
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        for name in sorted(names):
            path = Path(root, name)
            if name.startswith(".") or not path.is_file():
                continue
            count += 1
            if count > _MAX_FILES:
                return
            yield path


@contextmanager
def one_interrupt() -> Iterator[None]:
    """While it lasts, one Ctrl-C ends what is done; a second at once or after it does nothing."""
    last = -_AGAIN_SECONDS

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= _AGAIN_SECONDS:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody has decided otherwise, such as a shell that put this in the background
        return
    signal.signal(signal.SIGINT, interrupt)
    after: signal.Handlers | Callable[..., object] = signal.default_int_handler
    try:
        yield
    except KeyboardInterrupt:
        after = signal.SIG_IGN  # the process ends: it has only to say how to go on
        raise
    finally:
        signal.signal(signal.SIGINT, after)


def _again(path: Path) -> str:
    """The command line of this run, going on from its journal."""
    words = ["python", *sys.argv]
    named = any(word == "--resume" or word.startswith("--resume=") for word in words)
    return shlex.join(words if named else [*words, "--resume", str(path)])
