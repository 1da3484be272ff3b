"""One request out, one reply in, under one deadline, in one loop.

Reading and writing share the loop, so a peer that does not read cannot keep us from reading, nor
one that does not write from writing. A reply is refused on its header, before its bytes are
stored, and on its JSON, before its array is; the array is received without a copy.
"""

import math
import select
import socket
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from harness.remote.frames import HEADER, Body, Frame, FrameError, Header, Kind, loads, unpack

SOCKET_BUFFER = 4 << 20
"""The kernel's buffer in bytes: measured 2 GB/s with it, a third of that without."""

_MAX_FAIL = 256
_NAP = 60.0  # seconds; the kernel takes no endless ones

Judge = Callable[[Body, int], None]
"""Whether this JSON and so many bytes of array belong together, else `FrameError`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The one frame that may come: its kind, number, the most JSON, the possible binary sizes.

    `judge` is asked with the JSON and the size in the header, before the array is received.
    """

    kind: Kind
    sequence: int
    max_json: int
    sizes: Container[int] = (0,)
    judge: Judge | None = None

    def admit(self, header: Header, *, asked: bool) -> None:
        """`FrameError` unless this header may stand here; `asked`: the request is all sent."""
        if header.sequence != self.sequence:
            raise FrameError(f"frame number {header.sequence}, not {self.sequence}")
        if header.kind is Kind.FAIL:
            _bound(header, max_json=_MAX_FAIL, sizes=(0,))
            return
        if header.kind is not self.kind:
            raise FrameError(f"{header.kind.name} where {self.kind.name} belongs")
        if not asked:
            raise FrameError("the answer came before the request was sent")
        _bound(header, max_json=self.max_json, sizes=self.sizes)

    def match(self, header: Header, body: Body) -> None:
        """`FrameError` unless the JSON describes exactly the bytes that the header announces."""
        if self.judge is not None and header.kind is self.kind:
            self.judge(body, header.binary_bytes)


def _bound(header: Header, *, max_json: int, sizes: Container[int]) -> None:
    if header.json_bytes > max_json:
        raise FrameError(f"{header.json_bytes} bytes of JSON, more than {max_json}")
    if header.binary_bytes not in sizes:
        raise FrameError(f"{header.binary_bytes} bytes of array, not {sizes}")


class Channel:
    """The evaluator's end of the socket; a context manager that closes it.

    `exchange` raises `FrameError` (not the protocol), `EOFError` (the other side is gone),
    `TimeoutError` (the deadline, a `time.monotonic` value, has passed). After any of them the
    channel is of no further use.
    """

    def __init__(self, link: socket.socket):
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        self._link = link
        self._poll = select.poll()
        self._poll.register(link, select.POLLIN)
        self._buffer = bytearray()

    def exchange(self, request: bytes, expected: Expected, *, deadline: float) -> Frame:
        """Send the request (it may be empty) and return the frame that answers it.

        The frame's `binary` is valid until the next call.
        """
        if request:
            self._refuse_unasked()
        writer, reader = _Writer(request), _Reader(expected, self._room)
        while reader.frame is None:
            if time.monotonic() >= deadline:
                raise TimeoutError
            if writer.pending:
                writer.send(self._link)
            if not reader.receive(self._link, asked=writer.done):
                self._wait(deadline, to_write=bool(writer.pending))
        if request:
            self._refuse_unasked(gone_is_fine=True)
        return reader.frame

    def send(self, data: bytes) -> None:
        """Send a last word, if the kernel takes it at once; never waits and never fails."""
        try:
            self._link.send(data)
        except OSError:
            return

    def hung_up(self) -> bool:
        """Whether the other side is gone; what it sent before it left may still lie there."""
        try:
            return not self._link.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def interrupt(self) -> None:
        """Have a wait of another thread end at once, by `EOFError`; the one call that is safe
        from there."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; harmless to repeat."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait(self, deadline: float, *, to_write: bool) -> None:
        """Until something can be read or, if that is wanted, written, or the deadline is there."""
        self._poll.modify(self._link, select.POLLIN | (select.POLLOUT if to_write else 0))
        seconds = min(max(0.0, deadline - time.monotonic()), _NAP)
        self._poll.poll(math.ceil(seconds * 1000))

    def _room(self, size: int) -> memoryview:
        """The first `size` bytes of the one buffer, which only grows."""
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        return memoryview(self._buffer)[:size]

    def _refuse_unasked(self, *, gone_is_fine: bool = False) -> None:
        """Nothing may lie in the socket between a reply and the next request."""
        try:
            waiting = self._link.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            waiting = b""
        if waiting:
            raise FrameError("bytes came that no request asked for")
        if not gone_is_fine:
            raise EOFError


class _Writer:
    """What is still to be sent. A peer that is gone ends the writing, not the reading."""

    def __init__(self, data: bytes):
        self.pending = memoryview(data)
        self.broken = False

    @property
    def done(self) -> bool:
        """Whether every byte has left."""
        return not self.pending and not self.broken

    def send(self, link: socket.socket) -> None:
        try:
            self.pending = self.pending[link.send(self.pending) :]
        except BlockingIOError:
            return
        except OSError:
            self.pending = self.pending[:0]
            self.broken = True


class _Reader:
    """A frame that arrives in pieces: header, JSON, array, each into a buffer of its exact size."""

    def __init__(self, expected: Expected, room: Callable[[int], memoryview]):
        self.frame: Frame | None = None
        self._expected = expected
        self._room = room
        self._asked = True
        self._parts = self._run()
        self._target = next(self._parts)

    def receive(self, link: socket.socket, *, asked: bool) -> bool:
        """Take what is there, once; False if nothing was."""
        self._asked = asked
        try:
            count = link.recv_into(self._target)
        except BlockingIOError:
            return False
        except OSError as error:
            raise EOFError from error
        if count == 0:
            raise EOFError
        self._target = self._target[count:]
        if not self._target:
            self._target = next(self._parts, self._target)
        return True

    def _run(self) -> Iterator[memoryview]:
        """Each buffer to fill, in turn; resumed when the one before is full."""
        head = bytearray(HEADER.size)
        yield memoryview(head)
        header = unpack(head)
        self._expected.admit(header, asked=self._asked)
        text = bytearray(header.json_bytes)
        if text:
            yield memoryview(text)
        body = loads(text)
        self._expected.match(header, body)
        array = self._room(header.binary_bytes)
        if array:
            yield array
        self.frame = Frame(header.kind, header.sequence, body, array)
