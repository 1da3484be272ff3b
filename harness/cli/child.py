"""A submission's agent in a process of its own: the sandbox's serve loop, without the sandbox.

What goes wrong there is told as one sentence, with the last lines that the process printed.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.agent import MAX_REPLY_BYTES, VERBS, check_replies
from harness.cli.terminal import plain
from harness.dialogue import Context, Turn
from harness.errors import OperatorError, RostrumError, SubmissionError, UsageError
from harness.remote.client import Listener, RemoteAgent
from harness.submission import CHAT_ORDER, entered

START_SECONDS = 30.0
LOAD_SECONDS = 600.0
_TOTAL_SECONDS = 7 * 86400.0
_LEAVE_SECONDS = 1.5
"""How long a process may take to end by itself once nobody listens."""

_SHOWN_LINES = 6
_KEPT_BYTES = 16 << 10

_SENTENCES = {
    ("crashed", "import"): "{file} of {entry} could not be run",
    ("crashed", "construct"): "the agent of {entry} could not be built",
    ("crashed", "verb"): "{entry} failed in respond",
    ("load_timeout", None): "{entry} was not ready to talk within {load:.0f} s",
    ("batch_timeout", None): "{entry} gave no reply within {reply:g} s; --seconds waits longer",
    ("early_exit", None): "the process of {entry} ended by itself, with status {status}",
    ("protocol", None): "the process of {entry} sent bytes that are not the protocol's",
    ("invalid_prediction", "not_text"): "{entry} gave a reply that is not text",
    ("invalid_prediction", "wrong_count"): "{entry} did not give a list of exactly one reply",
    ("invalid_prediction", "too_long"): "{entry} gave a reply of more than {bytes:,} bytes",
    ("start_timeout", None): "the process of {entry} did not start",
}

_NO_RESPOND = re.compile(r"^AttributeError: .* has no attribute 'respond'")
_IN_OUR_CALL = re.compile(r'^  File ".*session\.py", line \d+, in _respond$')


class ChildAgent:
    """The agent of a running child; its errors carry what the child printed last."""

    def __init__(self, child: "_Child", remote: RemoteAgent):
        self._child = child
        self._remote = remote

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """One reply per context, checked."""
        with self._child.blamed():
            return check_replies(self._remote.respond(contexts), count=len(contexts))


@contextmanager
def started(folder: Path, entry: str, *, reply_seconds: float) -> Iterator[ChildAgent]:
    """The agent of the submission in `folder`, ready to answer; its process ends with the block.

    `RostrumError` if it cannot be had, or cannot talk.
    """
    tracks = entered(folder)
    if not tracks:
        missing = "it has no eval_f1.py, eval_hits.py or eval_ppl.py"
        raise UsageError(
            f"{folder} is no submission folder: "
            + (missing if folder.is_dir() else "there is no such folder")
        )
    track = next(one for one in CHAT_ORDER if one in tracks)
    with ExitStack() as undo:
        place = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="rostrum-chat-")))
        listener = undo.enter_context(Listener(place, uid=None))
        child = _Child(folder / f"eval_{track}.py", entry, listener.path, seconds=reply_seconds)
        undo.callback(child.end)
        with child.blamed():
            remote = undo.enter_context(listener.accept(timeout=START_SECONDS))
            remote.load(
                track,
                load_seconds=LOAD_SECONDS,
                batch_seconds=reply_seconds,
                bank_seconds=0.0,
                total_seconds=_TOTAL_SECONDS,
            )
        agent = ChildAgent(child, remote)
        if "f1" not in tracks:  # else it has promised to respond
            agent.respond([Context("chat-0", turns=(Turn("partner", "hello"),))])
        yield agent


class _Child:
    """The running process, what it prints, and the sentence for each way in which it fails.

    It serves the track file `file` of `entry` to whoever listens at `path`; `seconds` is what a
    reply may take.
    """

    def __init__(self, file: Path, entry: str, path: Path, *, seconds: float):
        self._file = file.absolute()
        self._entry = entry
        self._seconds = seconds
        variables = {"ROSTRUM_SOCKET": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(  # noqa: S603  (the user's own code)
            [sys.executable, "-P", "-m", "harness.remote.serve", str(self._file)],
            cwd=self._file.parent,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )
        assert self._process.stderr is not None
        self._printed = _Tail(self._process.stderr)

    def end(self, *, leave: float = _LEAVE_SECONDS) -> None:
        """End the process and all that it started; harmless to repeat."""
        if self._process.returncode is not None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(leave)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._printed.close()

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turn a verdict into a sentence for a person at the terminal."""
        try:
            yield
        except (SubmissionError, OperatorError) as error:
            self.end(leave=0.0 if error.code.endswith("_timeout") else _LEAVE_SECONDS)
            raise self._told(error) from error

    def _told(self, error: SubmissionError | OperatorError) -> RostrumError:
        lines = self._printed.lines()
        if error.detail == "verb" and _has_no_respond(lines):
            return self._told_mute(error.code)
        sentence = _SENTENCES.get((error.code, error.detail), "{entry} failed: {title}").format(
            entry=self._entry,
            file=self._file.name,
            load=LOAD_SECONDS,
            reply=self._seconds,
            bytes=MAX_REPLY_BYTES,
            status=self._process.returncode,
            title=error.verdict.title,
        )
        shown = [f"  {line}" for line in lines[-_SHOWN_LINES:]]
        hint = "\n".join(["Its last lines:", *shown]) if shown else "It printed nothing."
        return RostrumError(sentence, code=error.code, hint=hint)

    def _told_mute(self, code: str) -> RostrumError:
        tracks = entered(self._file.parent)
        verbs = [VERBS[track] for track in tracks if track != "f1"]
        instead = f", it answers {' and '.join(verbs)}" if verbs else ""
        return RostrumError(
            f"{self._entry} does not talk: its agent has no respond{instead} "
            f"(it enters {', '.join(tracks)})",
            code=code,
        )


class _Tail:
    """The end of what a stream brings, read by a thread so that its writer never waits."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, name="rostrum-chat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the end of the stream; its writers have ended."""
        self._thread.join(_LEAVE_SECONDS)

    def lines(self) -> list[str]:
        """The last lines, safe to show."""
        text = self._kept.decode("utf-8", "replace")
        return [plain(line.expandtabs()) for line in text.splitlines() if line.strip()]

    def _read(self) -> None:
        with self._stream:
            while data := os.read(self._stream.fileno(), 1 << 16):
                self._kept = (self._kept + data)[-_KEPT_BYTES:]


def _has_no_respond(lines: list[str]) -> bool:
    """Whether the last error is that of our own call to a verb that is not there."""
    places = [line for line in lines if line.startswith('  File "')]
    return bool(
        places
        and _IN_OUR_CALL.match(places[-1])
        and any(_NO_RESPOND.match(line) for line in lines[-1:])
    )
