"""The kept end of what a cell prints: bounded in memory, bounded in all, never in the way.

One thread reads. More than `limit` bytes in all close the reading side and are reported once, so
a flood costs the worker a bounded amount and ends its cell.
"""

import contextlib
import os
import select
import struct
import threading
from collections.abc import Callable

LIMIT_FACTOR = 64
"""A cell may print this many times what is kept."""

_CHUNK = 1 << 16
_POLL_MS = 50
_HEADER = struct.Struct(">BxxxI")


class Tail:
    """Reads `descriptor`, which it owns, until its end, `stop` or the limit."""

    def __init__(
        self,
        descriptor: int,
        *,
        keep: int,
        on_flood: Callable[[], None],
        framed: bool = False,
    ):
        self.flooded = False
        self._descriptor = descriptor
        self._keep = keep
        self._limit = keep * LIMIT_FACTOR
        self._on_flood = on_flood
        self._unframe = _Unframe() if framed else None
        self._kept = bytearray()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rostrum-tail", daemon=True)
        self._thread.start()

    def stop(self, *, seconds: float) -> None:
        """Close our side, after at most `seconds` for its natural end; harmless to repeat."""
        self._thread.join(seconds)
        self._stop.set()
        self._thread.join(10 * _POLL_MS / 1000)

    @property
    def text(self) -> str:
        """The last bytes as text; what is not UTF-8 is replaced."""
        return bytes(self._kept[-self._keep :]).decode("utf-8", "replace")

    def _run(self) -> None:
        try:
            self._read()
        finally:
            os.close(self._descriptor)
        if self.flooded:
            with contextlib.suppress(Exception):  # the cell is ended again by its owner
                self._on_flood()

    def _read(self) -> None:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN | select.POLLHUP)
        total = 0
        while not self._stop.is_set():
            if not waiting.poll(_POLL_MS):
                continue
            try:
                data = os.read(self._descriptor, _CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not data:
                return
            total += len(data)
            self._add(self._unframe(data) if self._unframe else data)
            if total > self._limit:
                self.flooded = True
                return

    def _add(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * self._keep:
            del self._kept[: -self._keep]


class _Unframe:
    """The payload of the engine's attach stream: 8 bytes of header, then as many as it says."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    def __call__(self, data: bytes) -> bytes:
        payload = bytearray()
        position = 0
        while position < len(data):
            if self._left:
                piece = data[position : position + self._left]
                payload += piece
                self._left -= len(piece)
                position += len(piece)
                continue
            wanted = _HEADER.size - len(self._header)
            self._header += data[position : position + wanted]
            position += wanted
            if len(self._header) == _HEADER.size:
                self._left = _HEADER.unpack(self._header)[1]
                self._header = b""
        return bytes(payload)
