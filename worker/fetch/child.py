"""Runs the fetch child on one request and reads its one bounded line, within a deadline.

The child has an explicit environment, a session and a folder of its own and, where the worker is
root, a user id that no other child has: one team's fetch cannot look into another's.
"""

import contextlib
import fcntl
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from harness.errors import VERDICTS, Fault, OperatorError, RostrumError, SubmissionError
from worker.fetch.request import Request
from worker.fetch.store import SCRATCH_PREFIX, remove
from worker.stopped import Stopped

FIRST_UID = 59_936
"""The first of the children's users where the worker is root; sandbox slots begin at 60000."""

UIDS = 64

USERS = Path("/run/rostrum-fetch")
"""Lock files, of the whole machine: whoever holds one has that user id."""

_LINE = 8192
_END_SECONDS = 10.0
_WAIT_SECONDS = 10.0
_FOR_ORGANIZERS = ("host_key", "certificate")
_log = logging.getLogger(__name__)


def ask(request: Request, *, seconds: float, stop: Event | None) -> dict[str, object]:
    """The child's answer; the error that it names, `clone_refused` (`timeout`), or `Stopped`."""
    child = subprocess.Popen(  # a fixed command
        [sys.executable, "-I", "-m", "worker.fetch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )
    try:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(request.dumps())
            child.stdin.close()
        line = _line(child, deadline=time.monotonic() + seconds, stop=stop)
    finally:
        _end(child)
        if request.uid is not None:
            _end_user(request.uid)
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        _log.error("the fetch child ended without an answer: status=%s", child.returncode)
        raise OperatorError("evaluator_bug")
    if "error" in answer:
        raise _error(answer)
    return answer


@contextlib.contextmanager
def scratch(store: Path) -> Iterator[tuple[Path, int | None]]:
    """A folder for one child, gone afterwards, and the user that it belongs to (None: ours)."""
    make_folder(store)
    with _own_user() as uid:
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=store))
        try:
            if uid is not None:
                os.chown(folder, uid, uid)
            yield folder, uid
        finally:
            remove(folder)


def make_folder(folder: Path) -> None:
    """A folder above trees: passable for the sandbox's users, listed by nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


@contextlib.contextmanager
def _own_user() -> Iterator[int | None]:
    """A user id that no other fetch on this machine has; waits for one for a moment at most."""
    if os.geteuid() != 0:
        yield None
        return
    deadline = time.monotonic() + _WAIT_SECONDS
    USERS.mkdir(mode=0o700, exist_ok=True)
    while (found := _first_free(USERS)) is None:
        if time.monotonic() > deadline:
            raise OperatorError("evaluator_bug", message=f"all {UIDS} users of fetches are busy")
        time.sleep(0.2)
    descriptor, number = found
    try:
        yield FIRST_UID + number
    finally:
        os.close(descriptor)


def _first_free(folder: Path) -> tuple[int, int] | None:
    for number in range(UIDS):
        descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return descriptor, number
    return None


def _line(child: "subprocess.Popen[bytes]", *, deadline: float, stop: Event | None) -> bytes:
    """Everything up to the first newline, at most `_LINE` bytes, before the deadline."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not line.endswith(b"\n") and len(line) < _LINE:
            if stop is not None and stop.is_set():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                raise SubmissionError("clone_refused", detail="timeout")
            if selector.select(min(left, 0.25)):
                chunk = os.read(descriptor, _LINE - len(line))
                if not chunk:
                    break
                line += chunk
    return line


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child's whole session and take its status."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(timeout=30)
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _end_user(uid: int) -> None:
    """End what may have left the session: nobody may touch the tree once it is taken over."""
    from worker.sandbox.slots import processes_of  # the child loads this module, and no sandbox

    deadline = time.monotonic() + _END_SECONDS
    while found := processes_of(uid):
        if time.monotonic() > deadline:
            raise OperatorError("evaluator_bug", message=f"processes of user {uid} do not end")
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _error(answer: dict[str, object]) -> RostrumError:
    """The error that the child names; one that it may not name is ours."""
    code, detail = str(answer.get("error")), answer.get("detail")
    message = str(answer.get("message"))
    verdict = VERDICTS.get(code)
    if verdict is None or verdict.fault is Fault.PLATFORM:
        _log.error("the fetch child failed: code=%s message=%s", code, message)
        return OperatorError(code if verdict else "evaluator_bug", message=message)
    level = logging.WARNING if detail in _FOR_ORGANIZERS else logging.INFO
    _log.log(level, "a repository was not cloned: detail=%s message=%s", detail, message)
    return SubmissionError(code, detail=str(detail) if detail else None, message=message)
