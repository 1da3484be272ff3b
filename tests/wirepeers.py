"""The other end of an evaluator's socket, as a peer that plays by the rules or does not."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness.dialogue import Context, Turn
from harness.errors import RostrumError
from harness.remote.client import RemoteAgent
from harness.remote.frames import Kind
from harness.remote.link import Link
from harness.text import Vocabulary

HELLO = {"protocol": "1.0", "harness": "0.1.0", "build": "0" * 64}
VOCABULARY = Vocabulary.from_counts({"a": 2, "b": 1})
CONTEXTS = [
    Context("one", ("i like tea .",), (), (Turn("partner", "hi"),)),
    Context("two", (), ("p",), (Turn("partner", "x"), Turn("self", "y"), Turn("partner", "z"))),
]
Peer = Callable[[Link, socket.socket], None]


@contextmanager
def facing(peer: Peer, *, ready: bool = True, **limits: float) -> Iterator[RemoteAgent]:
    """An agent whose other end is `peer`, run in a thread after HELLO, LOAD and READY."""
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def run() -> None:
        link = Link(theirs)
        try:
            if ready:
                link.send(Kind.HELLO, 0, HELLO)
                link.receive()
                link.send(Kind.READY, 0, {})
            peer(link, theirs)
            done.wait(10)  # what lives on with an open socket
        except (OSError, EOFError):
            pass  # the evaluator hung up first
        finally:
            theirs.close()

    thread = threading.Thread(target=run)
    thread.start()
    with RemoteAgent(ours) as agent:
        try:
            if ready:
                agent.greet(time.monotonic() + 5)
                load(agent, **limits)
            yield agent
        finally:
            done.set()
            agent.close()
            thread.join(10)
    assert not thread.is_alive()


def load(agent: RemoteAgent, **limits: float) -> None:
    seconds = {"load_seconds": 5, "batch_seconds": 5, "bank_seconds": 0, "total_seconds": 20}
    agent.load("ppl", vocabulary=VOCABULARY, **(seconds | limits))


def answering(
    *, kind: Kind = Kind.REPLY, sequence: int | None = None, body: bytes, binary: bytes = b""
) -> Peer:
    """A peer that answers the first request with these bytes in one frame."""

    def peer(link: Link, _: socket.socket) -> None:
        frame = link.receive()
        number = frame.sequence if sequence is None else sequence
        head = struct.pack("<4sBBHIIQ", b"RSTR", 1, kind, 0, number, len(body), len(binary))
        link._socket.sendall(head + body + binary)

    return peer


def sending(data: bytes) -> Peer:
    """A peer that answers the first request with raw bytes."""

    def peer(link: Link, raw: socket.socket) -> None:
        link.receive()
        raw.sendall(data)

    return peer


def expect(code: str, detail: str | None = None) -> "pytest.RaisesExc[RostrumError]":
    return pytest.raises(
        RostrumError, check=lambda error: (error.code, error.detail) == (code, detail)
    )
