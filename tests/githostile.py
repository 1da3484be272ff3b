"""Hostile answers of an https git server, and a name server that changes its mind.

Each is a function for `HttpsServer.hostile`, by the name of the repository.
"""

import itertools
import random
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing

from githttps import Handler, Hostile, Seen

COMMIT = "1234567890123456789012345678901234567890"
ADVERTISED = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"


def packet(text: bytes | str) -> bytes:
    """One pkt-line."""
    content = text.encode() if isinstance(text, str) else text
    return f"{len(content) + 4:04x}".encode() + content


def redirects(target: str, *, status: int = 302) -> Hostile:
    """Sends everybody elsewhere; `target` is a whole address without its end."""

    def answer(handler: Handler, seen: Seen) -> None:
        end = seen.path.lstrip("/").partition("/")[2]
        handler.reply(status, Location=f"{target}/{end}")

    return answer


def drips(*, seconds: float = 0.2) -> Hostile:
    """Sends one byte every now and then, for ever."""

    def answer(handler: Handler, _: Seen) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", ADVERTISED)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"fff0")  # the length of a line whose end never comes
        while True:
            handler.wfile.write(b"0")
            handler.wfile.flush()
            time.sleep(seconds)

    return answer


def says(status: int, body: str) -> Hostile:
    """One answer for all."""

    def answer(handler: Handler, _: Seen) -> None:
        handler.reply(status, body.encode(), Content_Type="text/plain")

    return answer


def serves(
    pack: Iterator[bytes], *, capabilities: Sequence[str] = (), progress: str = ""
) -> Hostile:
    """Speaks protocol 2: names one commit, and sends `pack` for it, however long that is.

    `progress` is said beside it, as a server's own words are.
    """

    def answer(handler: Handler, seen: Seen) -> None:
        if seen.method == "GET":
            lines = ("version 2\n", "ls-refs=unborn\n", "fetch=shallow\n", "object-format=sha1\n")
            further = (f"{one}\n" for one in capabilities)
            head = packet("# service=git-upload-pack\n") + b"0000"
            body = b"".join(map(packet, (*lines, *further))) + b"0000"
            handler.reply(200, head + body, Content_Type=ADVERTISED, Cache_Control="no-cache")
        elif b"command=ls-refs" in seen.body:
            body = packet(f"{COMMIT} refs/heads/main\n") + b"0000"
            handler.reply(200, body, Content_Type=RESULT)
        elif b"command=fetch" in seen.body:
            _send(handler, pack, progress=progress)
        else:
            handler.reply(400)

    return answer


def _send(handler: Handler, pack: Iterator[bytes], *, progress: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", RESULT)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(packet("packfile\n"))
    if progress:
        handler.wfile.write(packet(b"\x02" + progress.encode()))
    for piece in pack:
        for start in range(0, len(piece), 60_000):
            handler.wfile.write(packet(b"\x01" + piece[start : start + 60_000]))
    handler.wfile.write(b"0000")
    handler.close_connection = True


def pack_header(objects: int) -> bytes:
    """The beginning of a pack."""
    return b"PACK" + struct.pack(">II", 2, objects)


def object_header(kind: int, size: int) -> bytes:
    """The beginning of an object in a pack: 1 is a commit, 2 a tree, 3 a blob."""
    first, size = (kind << 4) | (size & 15), size >> 4
    made = []
    while size:
        made.append(first | 128)
        first, size = size & 127, size >> 7
    return bytes((*made, first))


def endless_blob(size: int = 10 << 30) -> Iterator[bytes]:
    """A pack of one file of `size` bytes that nothing makes smaller."""
    noise = random.Random(0).randbytes(1 << 20)
    squeeze = zlib.compressobj(0)
    yield pack_header(1) + object_header(3, size)
    for _ in range(size >> 20):
        yield squeeze.compress(noise)


def bomb(size: int = 10 << 30) -> Iterator[bytes]:
    """A pack of one file of `size` zeros: a thousandth of that on the line."""
    squeeze = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    yield pack_header(1) + object_header(3, size)
    for _ in range(size >> 20):
        yield squeeze.compress(zeros)
    yield squeeze.flush()


def endless_objects(count: int = 1_000_000_000) -> Iterator[bytes]:
    """A pack of very many very small files."""
    yield pack_header(min(count, (1 << 32) - 1))
    for start in itertools.count(0, 1000):
        if start >= count:
            return
        texts = (f"{number}".encode() for number in range(start, start + 1000))
        yield b"".join(object_header(3, len(text)) + zlib.compress(text, 1) for text in texts)


class NameServer:
    """Answers every question for an IPv4 address with the next of `answers`, the last for ever."""

    def __init__(self, address: str, answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._socket.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "NameServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                question, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        """Yes and an address for A; no such record for anything else."""
        end = question.index(0, 12) + 5
        kind = int.from_bytes(question[end - 4 : end - 2], "big")
        asked = question[12:end]
        if kind != 1:
            return question[:2] + struct.pack(">HHHHH", 0x8180, 1, 0, 0, 0) + asked
        self.asked.append(asked.decode("latin-1"))
        address = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        record = struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address)
        return question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + asked + record


class Trap:
    """Listens where nobody may come, and counts who did."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.visits = 0
        self._socket = socket.create_server((address, 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> "Trap":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)
        self._socket.close()

    def _count(self) -> None:
        while not self._over.is_set():
            try:
                visitor, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.visits += 1
            with closing(visitor):
                visitor.settimeout(1)
