"""The inside's own loop, without a process: versions, base rows, and what it refuses to read."""

import socket
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.remote.frames import HEADER, FrameError, Kind, array, loads, pack, sparse
from harness.remote.handshake import Version
from harness.remote.link import Link
from harness.remote.messages import read_load
from harness.remote.session import Session
from harness.rows import SparseRows
from harness.text import Vocabulary

VOCABULARY = Vocabulary.from_counts({f"w{number}": 1 for number in range(96)})
WORDS = len(VOCABULARY)
BASE = np.arange(1, WORDS + 1, dtype="<f4")


class Inside:
    """`Session` in a thread over a socket pair; `receive` reads what it says."""

    def __init__(self, agent: Callable[[], Any], *, protocol: str | None, track: Any = "ppl"):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.ended: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(theirs, agent, track))
        self._thread.start()
        tsv = VOCABULARY.to_tsv().encode()
        named = {"entries": WORDS, "sha256": VOCABULARY.sha256}
        limits = dict.fromkeys(("load", "batch", "bank", "total"), 1.0)
        body: dict[str, Any] = {"track": track, "vocabulary": named, "limits": limits}
        if protocol is not None:
            body["protocol"] = protocol
        ours.sendall(pack(Kind.LOAD, 0, body, binary_bytes=len(tsv)) + tsv)

    def _run(self, theirs: socket.socket, agent: Callable[[], Any], track: Any) -> None:
        try:
            Session.opened(Link(theirs)).serve(agent, track=track)
        except BaseException as error:
            self.ended = error
        finally:
            theirs.close()

    def request(self, number: int, kind: Kind = Kind.REQUEST) -> None:
        contexts = [
            {"id": str(n), "persona": [], "partner_persona": [], "turns": []} for n in (1, 2)
        ]
        verb = {"verb": "next_word_probabilities", "contexts": contexts, "prefixes": [[], []]}
        self.socket.sendall(pack(kind, number, verb))

    def receive(self) -> tuple[int, dict[str, Any], bytes]:
        """Kind, JSON and binary of the next frame."""
        head = self._exactly(HEADER.size)
        _, _, kind, _, _, json_bytes, binary_bytes = HEADER.unpack(head)
        return kind, loads(self._exactly(json_bytes)), self._exactly(binary_bytes)

    def end(self) -> BaseException | None:
        self.socket.close()
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.ended

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class Changing:
    """Changes one word of each row."""

    def base_row(self, vocabulary: Vocabulary) -> Any:
        return BASE

    def next_word_probabilities(self, contexts: Any, prefixes: Any, vocabulary: Any) -> Any:
        return SparseRows(
            np.array([0, 1, 1], np.int64), np.array([3], np.int32), np.array([9], np.float32)
        )


@pytest.mark.parametrize("protocol", [None, "1.0", "1.1", "1.7"])
def test_the_inside_speaks_what_the_evaluator_does(protocol: str | None) -> None:
    inside = Inside(Changing, protocol=protocol)
    kind, body, base = inside.receive()
    inside.request(1)
    _, reply, binary = inside.receive()
    inside.socket.sendall(pack(Kind.BYE, 2, {}))
    assert inside.end() is None
    if protocol in {"1.1", "1.7"}:
        assert (kind, body, base) == (Kind.READY, array("<f4", (WORDS,)), BASE.tobytes())
        assert reply == sparse(rows=2, changes=1)
        assert len(binary) == 3 * 8 + 4 + 4
        return
    assert (kind, body, base) == (Kind.READY, {}, b"")
    assert reply == array("<f4", (2, WORDS))
    rows = np.frombuffer(binary, "<f4").reshape(2, WORDS)
    assert rows[1].tolist() == BASE.tolist()
    assert rows[0].tolist() == [*BASE[:3], 9, *BASE[4:]]


def test_an_evaluator_of_another_major_is_refused() -> None:
    assert isinstance(Inside(Changing, protocol="2.0").end(), FrameError)


@pytest.mark.parametrize("value", [1, None, "one", "1", "1.1.1", "-1.0"])
def test_a_version_in_load_that_is_none(value: object) -> None:
    limits = dict.fromkeys(("load", "batch", "bank", "total"), 1.0)
    body = {"track": "f1", "vocabulary": None, "limits": limits, "protocol": value}
    with pytest.raises(FrameError):
        read_load(body)


@pytest.mark.parametrize(("number", "kind"), [(0, Kind.REQUEST), (2, Kind.REQUEST), (0, Kind.LOAD)])
def test_the_inside_answers_requests_in_their_order_alone(number: int, kind: Kind) -> None:
    inside = Inside(Changing, protocol="1.1")
    inside.receive()
    inside.request(number, kind)
    with pytest.raises(EOFError):
        inside.receive()
    assert isinstance(inside.end(), FrameError)


class Broken(Changing):
    """Raises when it is asked for its base row."""

    def base_row(self, vocabulary: Vocabulary) -> Any:
        raise KeyError("x")


class Short(Changing):
    """Declares a row of three words."""

    def base_row(self, vocabulary: Vocabulary) -> Any:
        return np.ones(3, np.float32)


class Undeclared(Changing):
    """Changes a row that it never declared."""

    base_row = None  # type: ignore[assignment]  # as if there were no such method


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (Broken, {"hint": "construct", "detail": None}),
        (Short, {"hint": "prediction", "detail": "wrong_count"}),
    ],
)
def test_a_base_row_that_fails(agent: Callable[[], Any], said: dict[str, Any]) -> None:
    inside = Inside(agent, protocol="1.1")
    assert inside.receive() == (Kind.FAIL, said, b"")
    assert isinstance(inside.end(), SystemExit)


def test_changes_to_a_row_that_was_not_declared() -> None:
    inside = Inside(Undeclared, protocol="1.1")
    assert inside.receive() == (Kind.READY, {}, b"")
    inside.request(1)
    said = {"hint": "prediction", "detail": "wrong_count"}
    assert inside.receive() == (Kind.FAIL, said, b"")
    inside.end()


@pytest.mark.parametrize(
    ("kind", "json_bytes", "binary_bytes"),
    [
        (Kind.HELLO, 2, 0),
        (Kind.REPLY, 2, 0),
        (Kind.LOAD, 2**32 - 1, 0),
        (Kind.LOAD, 2, 2**40),
        (Kind.REQUEST, 2, 8),
        (Kind.BYE, 2, 1),
    ],
)
def test_the_inside_bounds_what_it_reads(kind: Kind, json_bytes: int, binary_bytes: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(HEADER.pack(b"RSTR", 1, kind, 0, 0, json_bytes, binary_bytes))
        with pytest.raises(FrameError):
            Link(ours).receive()


def test_room_is_made_as_bytes_come_not_as_they_are_announced() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(HEADER.pack(b"RSTR", 1, Kind.LOAD, 0, 0, 2**28, 0) + b"x" * 100)
        tracemalloc.start()
        try:
            with pytest.raises(EOFError):
                Link(ours).receive()
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


def test_versions_compare_as_numbers() -> None:
    assert Version.parse("1.10").sparse
    assert not Version.parse("1.0").sparse
