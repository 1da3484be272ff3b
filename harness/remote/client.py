"""The evaluator's side: a listener that lets one process in, and the agent that it then is.

A `RemoteAgent` answers the three verbs like an agent in this process. What goes wrong becomes the
error of the person at fault: `SubmissionError` for anything the other side does or fails to do
once its HELLO has come, `OperatorError("start_timeout")` if that never comes.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness.agent import MAX_REPLY_BYTES, VERBS, Track
from harness.dialogue import Context
from harness.errors import OperatorError, SubmissionError
from harness.remote.answers import Form, array_form, read_array, read_rows, ready_form, rows_form
from harness.remote.budget import Budget
from harness.remote.channel import Channel, Expected
from harness.remote.contexts import ContextWriter, PrefixWriter
from harness.remote.frames import Body, Frame, FrameError, Kind, fields, pack, texts
from harness.remote.handshake import MAX_HELLO, OLDEST, agree, read_hello
from harness.remote.messages import read_fail, write_load
from harness.rows import SparseRows
from harness.text import Vocabulary

SOCKET_NAME = "agent.sock"

_PEER = struct.Struct("3i")  # pid, uid, gid
_ESCAPED = 6  # the most bytes that JSON needs for one byte of text: \\u0001


class Listener:
    """A socket in a directory that one process may connect to, once; a context manager.

    The directory is what a sandbox mounts, read-only. With `uid` only a peer of that user is let
    in, and any other is turned away while the wait goes on; without, the file's mode (0600)
    keeps other users out.
    """

    def __init__(self, directory: Path, *, uid: int | None):
        self.path = directory / SOCKET_NAME
        self._uid = uid
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        handle = os.open(directory, os.O_DIRECTORY | os.O_RDONLY)
        try:  # through the handle, because an address holds at most 107 bytes
            self._socket.bind(f"/proc/self/fd/{handle}/{SOCKET_NAME}")
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(handle)
        self.path.chmod(0o600 if uid is None else 0o666)
        self._socket.listen(1)

    def accept(self, *, timeout: float) -> "RemoteAgent":
        """The agent that connected, its HELLO read and checked; nobody else can follow.

        Raises `OperatorError("start_timeout")` if it does not come within `timeout` seconds or
        leaves before its HELLO, `OperatorError("image_missing")` if it speaks another protocol
        major, `SubmissionError("protocol")` if what it says is no HELLO.
        """
        deadline = time.monotonic() + timeout
        try:
            link = self._admit(deadline)
        finally:
            self.close()
        agent = RemoteAgent(link)
        try:
            agent.greet(deadline)
        except BaseException:
            agent.close()
            raise
        return agent

    def close(self) -> None:
        """Stop listening and remove the file; harmless to repeat."""
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _admit(self, deadline: float) -> socket.socket:
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                link, _ = self._socket.accept()
            except TimeoutError:
                break
            if self._uid is None or _uid_of(link) == self._uid:
                return link
            link.close()
        raise OperatorError("start_timeout", message="nobody connected in time")


class RemoteAgent:
    """An agent in another process; answers the verbs of the track that it was loaded with.

    `hello` holds what the other side said of itself: `protocol`, `harness`, `build`. Arrays that
    the verbs return may be views of a buffer that the next call fills again. After any error the
    connection is closed.
    """

    def __init__(self, link: socket.socket):
        self.hello: dict[str, str] = {}
        self._channel = Channel(link)
        self._contexts = ContextWriter()
        self._prefixes = PrefixWriter(self._contexts)
        self._sequence = 0
        self._budget: Budget | None = None
        self._vocabulary: Vocabulary | None = None
        self._base: NDArray[np.float32] | None = None
        self._spoken = OLDEST

    def greet(self, deadline: float) -> None:
        """Read HELLO; the errors are those of `Listener.accept`."""
        try:
            frame = self._channel.exchange(
                b"", Expected(Kind.HELLO, 0, max_json=MAX_HELLO), deadline=deadline
            )
            self.hello = read_hello(frame)
        except (TimeoutError, EOFError) as error:
            raise OperatorError("start_timeout", message="no HELLO came in time") from error
        except FrameError as error:
            raise SubmissionError("protocol", message=f"no HELLO: {error}") from error
        self._spoken = agree(self.hello["protocol"])
        self._contexts = ContextWriter(continues=self._spoken.continues)
        self._prefixes = PrefixWriter(self._contexts)

    def load(
        self,
        track: Track,
        *,
        vocabulary: Vocabulary | None = None,
        load_seconds: float,
        batch_seconds: float,
        bank_seconds: float,
        total_seconds: float,
    ) -> None:
        """Have the track file run and its agent built; the total begins when it is ready.

        Seconds: `batch_seconds` for each request, `bank_seconds` more that all of them share.
        """
        dictionary = b"" if vocabulary is None else vocabulary.to_tsv().encode("utf-8")
        limits = {
            "load": float(load_seconds),
            "batch": float(batch_seconds),
            "bank": float(bank_seconds),
            "total": float(total_seconds),
        }
        body = write_load(track, vocabulary=vocabulary, limits=limits, spoken=self._spoken)
        words = len(vocabulary) if vocabulary is not None and self._spoken.sparse else None
        frame = self._exchange(
            pack(Kind.LOAD, self._sequence, body, binary_bytes=len(dictionary)) + dictionary,
            Expected(Kind.READY, self._sequence, *ready_form(words=words)),
            deadline=time.monotonic() + load_seconds,
            late="load_timeout",
        )
        if frame.binary:  # a copy, because the next answer is received into the same buffer
            self._base = np.frombuffer(frame.binary, dtype="<f4").copy()
        self._vocabulary = vocabulary
        self._budget = Budget(batch=batch_seconds, bank=bank_seconds, total=total_seconds)

    def base_row(self, vocabulary: Vocabulary) -> NDArray[np.float32] | None:
        """The row that sparse answers change, float32 `[len(vocabulary)]`, unchecked; None if the
        other side declared none."""
        self._expect(vocabulary)
        return self._base

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """One text per context, as the other side sent them."""
        body = {"verb": VERBS["f1"], "contexts": self._contexts.write(contexts)}
        room = 64 + len(contexts) * (_ESCAPED * MAX_REPLY_BYTES + 8)
        frame = self._ask(body, Form(room))
        with self._verdicts():
            (replies,) = fields(frame.body, replies=list)
            return texts(replies)

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[NDArray[np.float64]]:
        """One float64 array of scores per context, not yet known to be finite."""
        body = {
            "verb": VERBS["hits"],
            "contexts": self._contexts.write(contexts),
            "candidates": [*map(tuple, candidates)],
        }
        sizes = [len(texts) for texts in candidates]
        shape = (sum(sizes),)
        scores = read_array(self._ask(body, array_form("<f8", shape)), "<f8", shape)
        if len(set(sizes)) == 1:  # mostly; cutting one by one costs a microsecond each
            return list(scores.reshape(len(sizes), sizes[0]))
        return np.split(scores, np.cumsum(sizes)[:-1]) if sizes else []

    def next_word_probabilities(
        self,
        contexts: Sequence[Context],
        prefixes: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
    ) -> NDArray[np.float32] | SparseRows:
        """Float32 `[len(contexts), len(vocabulary)]` or changes to the base row, unchecked; valid
        until the next call."""
        self._expect(vocabulary)
        body = {"verb": VERBS["ppl"], **self._prefixes.write(contexts, prefixes)}
        rows, words = len(contexts), len(vocabulary)
        form = rows_form(rows=rows, words=words, may_be_sparse=self._base is not None)
        return read_rows(self._ask(body, form), rows=rows, words=words)

    def hung_up(self) -> bool:
        """Whether the other side has left; asked between two verbs, it takes no time."""
        return self._channel.hung_up()

    def interrupt(self) -> None:
        """End the conversation from another thread: the verb that waits fails as `early_exit`."""
        self._channel.interrupt()

    def close(self) -> None:
        """Say BYE if that is possible at once, and close; harmless to repeat."""
        self._channel.send(pack(Kind.BYE, self._sequence + 1, {}))
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _expect(self, vocabulary: Vocabulary) -> None:
        if vocabulary is not self._vocabulary:
            raise ValueError("the agent was loaded with another dictionary")

    def _ask(self, body: Body, form: Form) -> Frame:
        if self._budget is None:
            raise ValueError("load the agent before asking it")
        self._sequence += 1
        with self._budget.batch() as batch:
            return self._exchange(
                pack(Kind.REQUEST, self._sequence, body),
                Expected(Kind.REPLY, self._sequence, *form),
                deadline=batch.deadline,
                late=batch.late,
            )

    def _exchange(self, request: bytes, expected: Expected, *, deadline: float, late: str) -> Frame:
        with self._verdicts(late):
            frame = self._channel.exchange(request, expected, deadline=deadline)
            if frame.kind is Kind.FAIL:
                raise _failure(*read_fail(frame.body))
            return frame

    @contextmanager
    def _verdicts(self, late: str = "protocol") -> Iterator[None]:
        """Turn the channel's errors into verdicts, and close the connection after any error."""
        try:
            yield
        except TimeoutError as error:
            self.close()
            raise SubmissionError(late) from error
        except EOFError as error:
            self.close()
            raise SubmissionError("early_exit") from error
        except FrameError as error:
            self.close()
            raise SubmissionError("protocol", message=f"not the protocol: {error}") from error
        except BaseException:
            self.close()
            raise


def _failure(hint: str, detail: str | None) -> SubmissionError:
    if hint == "prediction":
        return SubmissionError("invalid_prediction", detail=detail)
    return SubmissionError("crashed", detail=hint)


def _uid_of(link: socket.socket) -> int:
    _, uid, _ = _PEER.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)
