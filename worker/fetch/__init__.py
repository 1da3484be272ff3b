"""Fetches one commit of a submission's repository as a read-only tree, in a child of its own.

The child has an explicit environment, an unprivileged user, limits on file size, memory and time,
and a session of its own; the parent ends that session at the deadline and reads one bounded line.
What arrives stands at `<store>/<key of the address>/<commit>`, put there in one step, owned by
us, without `.git`; the same commit is never fetched twice.
"""

import contextlib
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
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

from harness.errors import VERDICTS, Fault, OperatorError, RostrumError, SubmissionError
from worker.fetch.store import SCRATCH_PREFIX, remove
from worker.stopped import Stopped

FETCH_UID = 59_990
"""The user of the child where the worker is root; apart from the sandbox slots (60000 and up)."""

_LINE = 8192
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most a fetch may take: bytes and files of the exported tree, wall seconds."""

    max_bytes: int = 1 << 30
    max_files: int = 10_000
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where repositories may come from: one local root (None: nowhere local), a host list."""

    local_root: Path | None = None
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fetched:
    """One exported commit: its tree stands at `path`, of so many bytes and files."""

    commit: str
    path: Path
    bytes: int
    files: int


def fetch(
    url: str,
    ref: str,
    *,
    store: Path,
    bounds: Bounds,
    access: Access,
    stop: Event | None = None,
) -> Fetched:
    """Fetch `ref` (a 40-digit commit or a branch) of `url` into `store`.

    Raises `SubmissionError` (`clone_refused`, `commit_not_found`, `repo_too_large`),
    `OperatorError` (`disk_full`, `evaluator_bug`) or `Stopped`; always within
    `bounds.seconds` and a few seconds for ending and cleaning.
    """
    key = sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    home = store / key
    if (known := _known(home, ref)) is not None:
        return known
    _make(store)
    with _scratch(store) as scratch:
        answer = _ask(_request(url, ref, scratch, bounds, access), bounds.seconds, stop)
        if "error" in answer:
            raise _error(answer)
        return _placed(home, scratch / "tree", answer)


def _known(home: Path, ref: str) -> Fetched | None:
    """The commit where it already stands."""
    try:
        facts = json.loads((home / f"{ref}.json").read_text("utf-8")) if len(ref) == 40 else None
    except (OSError, ValueError):
        return None
    if facts is None or not (home / ref).is_dir():
        return None
    (home / f"{ref}.json").touch()
    return Fetched(ref, home / ref, facts["bytes"], facts["files"])


def _request(
    url: str, ref: str, scratch: Path, bounds: Bounds, access: Access
) -> dict[str, object]:
    return {
        "url": url,
        "ref": ref,
        "scratch": str(scratch),
        "uid": FETCH_UID if os.geteuid() == 0 else None,
        "max_bytes": bounds.max_bytes,
        "max_files": bounds.max_files,
        "seconds": max(1, int(bounds.seconds)),
        "local_root": str(access.local_root) if access.local_root else None,
        "hosts": sorted(access.hosts),
    }


def _ask(request: dict[str, object], seconds: float, stop: Event | None) -> dict[str, object]:
    """Run the child on one request; its answer, or the error of its silence."""
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
            child.stdin.write(json.dumps(request).encode("utf-8"))
            child.stdin.close()
        line = _line(child, deadline=time.monotonic() + seconds, stop=stop)
    finally:
        _end(child)
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        _log.error("the fetch child ended without an answer: status=%s", child.returncode)
        raise OperatorError("evaluator_bug")
    return answer


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


def _error(answer: dict[str, object]) -> RostrumError:
    """The error that the child names; one that it may not name is ours."""
    code, detail = str(answer.get("error")), answer.get("detail")
    message = str(answer.get("message"))
    verdict = VERDICTS.get(code)
    if verdict is None or verdict.fault is Fault.PLATFORM:
        _log.error("the fetch child failed: code=%s message=%s", code, message)
        return OperatorError(code if verdict else "evaluator_bug")
    return SubmissionError(code, detail=str(detail) if detail else None, message=message)


def _make(folder: Path) -> None:
    """A folder above trees: passable for the sandbox's users, listed by nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


@contextlib.contextmanager
def _scratch(store: Path) -> Iterator[Path]:
    """A folder for one fetch, the child's own, gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=store))
    try:
        if os.geteuid() == 0:
            os.chown(scratch, FETCH_UID, FETCH_UID)
        yield scratch
    finally:
        remove(scratch)


def _placed(home: Path, tree: Path, answer: dict[str, object]) -> Fetched:
    """Take the tree over and move it to its name in one step."""
    _make(home)
    commit = str(answer["commit"])
    fetched = Fetched(commit, home / commit, int(str(answer["bytes"])), int(str(answer["files"])))
    if os.geteuid() == 0:
        _own(tree)
    try:
        tree.rename(fetched.path)
    except OSError:
        if not fetched.path.is_dir():  # another fetch of the same commit may have been first
            raise
    fetched.path.chmod(0o555)
    facts = home / f"{commit}.json"
    draft = facts.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    draft.write_text(json.dumps({"bytes": fetched.bytes, "files": fetched.files}), "utf-8")
    draft.replace(facts)
    return fetched


def _own(tree: Path) -> None:
    """Make everything below `tree` ours, following no link."""
    for _, folders, files, descriptor in os.fwalk(tree, follow_symlinks=False):
        os.fchown(descriptor, 0, 0)
        for name in (*folders, *files):
            os.chown(name, 0, 0, dir_fd=descriptor, follow_symlinks=False)
