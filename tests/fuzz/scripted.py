"""A socket that plays a script: for whoever fuzzes one end, without threads, waits or a kernel.

Before each answer it waits for one whole frame; then the answer is there, in chunks of a chosen
size. When the script is at its end, or a frame breaks off, the other side is gone.
"""

import os
import socket
from collections.abc import Sequence

from harness.remote.frames import HEADER

READY_ALWAYS = os.open(os.devnull, os.O_RDWR)


class ScriptedSocket:
    """What `Channel` and `Link` use of a socket; `largest` is the largest buffer offered to fill.

    `first` lies there from the beginning, each of `answers` after one more whole frame was sent.
    """

    def __init__(self, first: bytes, answers: Sequence[bytes], *, chunk: int):
        self.largest = 0
        self._there = bytearray(first)
        self._answers = list(reversed(answers))
        self._chunk = max(1, chunk)
        self._sent = bytearray()

    def fileno(self) -> int:
        return READY_ALWAYS

    def setblocking(self, flag: bool) -> None:
        del flag

    def setsockopt(self, *arguments: int) -> None:
        del arguments

    def shutdown(self, how: int) -> None:
        del how

    def close(self) -> None:
        self._there.clear()
        self._answers.clear()

    def send(self, data: bytes | memoryview) -> int:
        self._sent += data
        self._release()
        return len(data)

    def sendall(self, data: bytes | memoryview) -> None:
        self.send(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        assert flags == socket.MSG_PEEK
        if not self._there and self._answers:
            raise BlockingIOError
        return bytes(self._there[:size])

    def recv_into(self, target: memoryview) -> int:
        self.largest = max(self.largest, len(target))
        data = self._there[: min(len(target), self._chunk)]
        target[: len(data)] = data
        del self._there[: len(data)]
        return len(data)

    def _release(self) -> None:
        """One answer for each whole frame that was sent."""
        while len(self._sent) >= HEADER.size:
            *_, json_bytes, binary_bytes = HEADER.unpack_from(self._sent)
            size = HEADER.size + json_bytes + binary_bytes
            if len(self._sent) < size:
                return
            del self._sent[:size]
            if self._answers:
                self._there += self._answers.pop()


def frames_in(data: bytes, *, most: int = 16) -> list[bytes]:
    """The bytes cut at the ends of frames by their own headers; what is left over is the last."""
    parts: list[bytes] = []
    while len(data) >= HEADER.size and len(parts) < most:
        *_, json_bytes, binary_bytes = HEADER.unpack_from(data)
        size = HEADER.size + json_bytes + binary_bytes
        parts.append(data[:size])
        data = data[size:]
    return [*parts, data] if data else parts
