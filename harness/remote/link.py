"""The inside's end of the socket: frames one after the other, waiting as long as it takes."""

import os
import socket
from pathlib import Path

from harness.remote.channel import SOCKET_BUFFER
from harness.remote.frames import HEADER, Body, Frame, FrameError, Kind, loads, pack, unpack
from harness.text import MAX_DICTIONARY_BYTES

MAX_JSON = 1 << 28
"""The largest JSON that is accepted from the evaluator, in bytes."""

_MOST_BINARY = {Kind.LOAD: MAX_DICTIONARY_BYTES, Kind.REQUEST: 0, Kind.BYE: 0}
"""What the evaluator sends, and how many bytes may follow the JSON."""

_PIECE = 1 << 20


class Link:
    """A connected socket; not for more than one thread."""

    def __init__(self, connected: socket.socket):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        self._socket = connected

    @classmethod
    def connect(cls, path: Path) -> "Link":
        """The link to the evaluator that listens at `path`."""
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        handle = os.open(path.parent, os.O_DIRECTORY | os.O_PATH)
        try:  # through the handle, because an address holds at most 107 bytes
            connecting.connect(f"/proc/self/fd/{handle}/{path.name}")
        except OSError:
            connecting.close()
            raise
        finally:
            os.close(handle)
        return cls(connecting)

    def send(
        self, kind: Kind, sequence: int, body: Body, *, binary: memoryview | bytes | None = None
    ) -> None:
        """Send one whole frame; `binary` is a view of bytes."""
        size = 0 if binary is None else len(binary)
        head = pack(kind, sequence, body, binary_bytes=size)
        if binary is None or size > _PIECE:
            self._socket.sendall(head)
        else:  # a copy costs less than waking the reader twice
            head, binary = b"".join((head, binary)), None
            self._socket.sendall(head)
        if binary is not None:
            self._socket.sendall(binary)

    def receive(self) -> Frame:
        """The next frame; `EOFError` if the evaluator is gone."""
        header = unpack(self._take(HEADER.size))
        if header.kind not in _MOST_BINARY:
            raise FrameError(f"{header.kind.name} from the evaluator")
        if header.json_bytes > MAX_JSON or header.binary_bytes > _MOST_BINARY[header.kind]:
            raise FrameError(f"a {header.kind.name} that is too large")
        body = loads(self._take(header.json_bytes))
        binary = self._take(header.binary_bytes)
        return Frame(header.kind, header.sequence, body, memoryview(binary))

    def close(self) -> None:
        """Close the socket; harmless to repeat."""
        self._socket.close()

    def _take(self, size: int) -> bytearray:
        """So many bytes; room is made as they come, not as they are announced."""
        buffer = bytearray()
        while (done := len(buffer)) < size:
            buffer += bytes(min(size - done, max(_PIECE, done)))
            self._fill(memoryview(buffer)[done:])
        return buffer

    def _fill(self, rest: memoryview) -> None:
        while rest:
            count = self._socket.recv_into(rest)
            if count == 0:
                raise EOFError("the evaluator closed the connection")
            rest = rest[count:]
