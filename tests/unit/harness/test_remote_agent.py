"""The evaluator's end of the socket against peers that play by the rules and peers that do not."""

import os
import pickle
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.dialogue import Context, Turn
from harness.errors import VERDICTS, OperatorError, RostrumError, SubmissionError
from harness.remote.client import Listener, RemoteAgent
from harness.remote.frames import Kind, array, dumps, pack
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


GOOD_ROWS = np.full((2, 6), 0.5, "<f4").tobytes()
GOOD_BODY = dumps(array("<f4", (2, 6)))


def words(agent: RemoteAgent) -> np.ndarray:
    return agent.next_word_probabilities(CONTEXTS, [(), ("a",)], VOCABULARY)


def test_a_good_answer_of_each_verb() -> None:
    def peer(link: Link, _: socket.socket) -> None:
        asked = link.receive()
        assert asked.body["verb"] == "next_word_probabilities"
        assert asked.body["prefixes"] == [[], ["a"]]
        body = array("<f4", (2, 6))
        link.send(Kind.REPLY, asked.sequence, body, binary=memoryview(GOOD_ROWS))
        asked = link.receive()
        assert asked.body["contexts"] == ["one", "two"]  # known since the last request
        assert asked.body["candidates"] == [["x"], ["y", "z"]]
        scores = memoryview(np.array([1.0, 2.0, 3.0], "<f8").tobytes())
        link.send(Kind.REPLY, asked.sequence, array("<f8", (3,)), binary=scores)
        asked = link.receive()
        assert asked.body["contexts"][0]["turns"] == [["partner", "new"]]
        link.send(Kind.REPLY, asked.sequence, {"replies": ["ja \u2019 \U0001f600"]})

    with facing(peer) as agent:
        assert words(agent).tolist() == [[0.5] * 6] * 2
        scores = agent.score_candidates(CONTEXTS, [["x"], ["y", "z"]])
        assert [row.tolist() for row in scores] == [[1.0], [2.0, 3.0]]
        assert agent.respond([Context("one", turns=(Turn("partner", "new"),))]) == [
            "ja \u2019 \U0001f600"
        ]
        assert agent.hello == HELLO


def test_an_answer_in_small_pieces_is_put_together() -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        frame = link.receive()
        data = pack(Kind.REPLY, frame.sequence, array("<f4", (2, 6)), binary_bytes=48) + GOOD_ROWS
        for byte in data:
            raw.sendall(bytes([byte]))

    with facing(peer) as agent:
        assert words(agent).tolist() == [[0.5] * 6] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 64,
        b"Traceback (most recent call last):\n" * 2,
        pickle.dumps({"array": [0.5] * 100}),
        struct.pack("<4sBBHIIQ", b"RSTR", 1, 5, 0, 1, 2, 2**62) + b"{}",
        struct.pack("<4sBBHIIQ", b"RSTR", 1, 5, 0, 1, 2**32 - 1, 48) + b"{}",
        struct.pack("<4sBBHIIQ", b"RSTR", 1, 7, 0, 1, 2**31, 0) + b"{}",
        struct.pack("<4sBBHIIQ", b"RSTR", 1, 7, 0, 1, 2, 2**62) + b"{}",
    ],
    ids=["zeros", "text", "pickle", "2^62 array", "2^32 JSON", "2^31 FAIL", "2^62 FAIL"],
)
def test_bytes_that_are_no_frame_are_refused_before_they_are_stored(data: bytes) -> None:
    with facing(sending(data)) as agent:
        tracemalloc.start()
        try:
            with expect("protocol"):
                words(agent)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "peer",
    [
        answering(sequence=0, body=GOOD_BODY, binary=GOOD_ROWS),
        answering(sequence=2, body=GOOD_BODY, binary=GOOD_ROWS),
        answering(kind=Kind.READY, body=b"{}"),
        answering(kind=Kind.HELLO, body=dumps(HELLO)),
        answering(kind=Kind.REQUEST, body=GOOD_BODY, binary=GOOD_ROWS),
        answering(body=GOOD_BODY, binary=GOOD_ROWS[:24]),
        answering(body=dumps(array("<f4", (1, 6))), binary=GOOD_ROWS[:24]),
        answering(body=dumps(array("<f4", (1, 6))), binary=GOOD_ROWS),
        answering(body=dumps(array("<f8", (2, 6))), binary=GOOD_ROWS * 2),
        answering(body=dumps(array("<f8", (2, 6))), binary=GOOD_ROWS),
        answering(body=dumps(array(">f4", (2, 6))), binary=GOOD_ROWS),
        answering(body=GOOD_BODY.replace(b"2", b"NaN"), binary=GOOD_ROWS),
        answering(body=b'{"array":{},"array":{}}', binary=GOOD_ROWS),
        answering(body=b"[" * len(GOOD_BODY), binary=GOOD_ROWS),
        answering(body=b'{"replies":[]}', binary=GOOD_ROWS),
        answering(body=b"{}", binary=GOOD_ROWS),
        answering(body=b"", binary=GOOD_ROWS),
        answering(body=GOOD_BODY + b" ", binary=GOOD_ROWS),
        answering(kind=Kind.FAIL, body=b"{}"),
        answering(kind=Kind.FAIL, body=b'{"hint":"alive","detail":null}'),
        answering(kind=Kind.FAIL, body=b'{"hint":"verb","detail":"zero_row"}'),
        answering(kind=Kind.FAIL, body=b'{"hint":"prediction","detail":null}'),
        answering(kind=Kind.FAIL, body=b'{"hint":"prediction","detail":"the reply is tea"}'),
        answering(kind=Kind.FAIL, body=b'{"hint":"verb","detail":null,"text":"x"}'),
    ],
)
def test_an_answer_unlike_the_one_asked_for_is_the_protocols(peer: Peer) -> None:
    with facing(peer) as agent, expect("protocol"):
        words(agent)


@pytest.mark.parametrize(
    "body",
    [
        b'{"replies":["a"],"scores":[1]}',
        b'{"replies":[1]}',
        b'{"replies":"aa"}',
        b'{"replies":{"a":1}}',
        b'{"replies":[null]}',
        b'{"replies":["\\ud800"]}',
        b'{"replies":["\xff"]}',
        b'{"replies":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"replies":[' + b"9" * 9_000 + b"]}",
        b'{"replies":["' + b"x" * 10_000_000 + b'"]}',
    ],
)
def test_texts_are_strict_json_of_bounded_size(body: bytes) -> None:
    with facing(answering(body=body)) as agent, expect("protocol"):
        agent.respond(CONTEXTS[:1])


@pytest.mark.parametrize("hint", ["import", "construct", "verb"])
def test_fail_is_a_hint_for_the_wording(hint: str) -> None:
    peer = answering(kind=Kind.FAIL, body=dumps({"hint": hint, "detail": None}))
    with facing(peer) as agent, expect("crashed", hint):
        words(agent)


@pytest.mark.parametrize("detail", VERDICTS["invalid_prediction"].details)
def test_fail_may_say_what_is_wrong_with_a_prediction(detail: str) -> None:
    peer = answering(kind=Kind.FAIL, body=dumps({"hint": "prediction", "detail": detail}))
    with facing(peer) as agent, expect("invalid_prediction", detail):
        words(agent)


def test_a_fail_that_comes_while_we_still_write_is_read() -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        raw.recv(100)
        link.send(Kind.FAIL, 1, {"hint": "verb", "detail": None})
        raw.close()

    long = Context("long", turns=(Turn("partner", "x" * 20_000_000),))
    with facing(peer) as agent, expect("crashed", "verb"):
        agent.respond([long])


def test_an_answer_before_its_request_is_sent() -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        raw.recv(100)
        link.send(Kind.REPLY, 1, {"replies": ["early"]})

    long = Context("long", turns=(Turn("partner", "x" * 20_000_000),))
    with facing(peer) as agent, expect("protocol"):
        agent.respond([long])


def test_an_answer_that_lies_there_before_anything_is_asked() -> None:
    loaded, sent = threading.Event(), threading.Event()

    def peer(link: Link, _: socket.socket) -> None:
        loaded.wait(5)
        link.send(Kind.REPLY, 1, {"replies": ["early"]})
        sent.set()

    with facing(peer) as agent:
        loaded.set()
        assert sent.wait(5)
        with expect("protocol"):
            agent.respond(CONTEXTS[:1])


@pytest.mark.parametrize("next_number", [0, 1])
def test_answering_twice_or_for_the_next_number(next_number: int) -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        number = link.receive().sequence
        reply = pack(Kind.REPLY, number, {"replies": ["once"]})
        raw.sendall(reply + pack(Kind.REPLY, number + next_number, {"replies": ["twice"]}))

    with facing(peer) as agent, expect("protocol"):
        agent.respond(CONTEXTS[:1])
        agent.respond(CONTEXTS[:1])


def test_a_byte_now_and_then_does_not_extend_the_deadline() -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        link.receive()
        for byte in pack(Kind.REPLY, 1, {"replies": ["x"]}):
            raw.sendall(bytes([byte]))
            time.sleep(0.1)

    with facing(peer, batch_seconds=0.3) as agent:
        start = time.monotonic()
        with expect("batch_timeout"):
            agent.respond(CONTEXTS[:1])
        assert time.monotonic() - start < 1


def test_a_peer_that_never_reads() -> None:
    long = Context("long", turns=(Turn("partner", "x" * 20_000_000),))
    with facing(lambda link, raw: None, batch_seconds=0.3) as agent:
        start = time.monotonic()
        with expect("batch_timeout"):
            agent.respond([long])
        assert time.monotonic() - start < 2


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_a_peer_that_closes_and_lives_on(how: int) -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        link.receive()
        raw.shutdown(how)

    with facing(peer) as agent, expect("early_exit"):
        agent.respond(CONTEXTS[:1])


def test_a_peer_that_leaves_in_the_middle_of_its_answer() -> None:
    def peer(link: Link, raw: socket.socket) -> None:
        link.receive()
        raw.sendall(pack(Kind.REPLY, 1, {"replies": ["x"]})[:-3])
        raw.close()

    with facing(peer) as agent, expect("early_exit"):
        agent.respond(CONTEXTS[:1])


def test_a_peer_that_leaves_between_two_requests() -> None:
    with facing(lambda link, raw: raw.close()) as agent:
        time.sleep(0.2)
        with expect("early_exit"):
            agent.respond(CONTEXTS[:1])


def test_after_an_error_the_connection_is_of_no_use() -> None:
    with facing(sending(b"\0" * 64)) as agent:
        with expect("protocol"):
            agent.respond(CONTEXTS[:1])
        with expect("early_exit"):
            agent.respond(CONTEXTS[:1])


def slow(seconds: float) -> Peer:
    def peer(link: Link, _: socket.socket) -> None:
        while True:
            number = link.receive().sequence
            time.sleep(seconds)
            link.send(Kind.REPLY, number, {"replies": ["x"]})

    return peer


def test_the_bank_pays_for_slow_batches_until_it_is_empty() -> None:
    with facing(slow(0.3), batch_seconds=0.1, bank_seconds=0.5) as agent:
        agent.respond(CONTEXTS[:1])
        agent.respond(CONTEXTS[:1])
        with expect("batch_timeout"):
            agent.respond(CONTEXTS[:1])


def test_just_under_every_batch_limit_meets_the_total() -> None:
    with facing(slow(0.3), batch_seconds=5, total_seconds=0.8) as agent:
        start = time.monotonic()
        with expect("total_timeout"):
            for _ in range(10):
                agent.respond(CONTEXTS[:1])
        assert time.monotonic() - start < 1.5


def test_a_load_that_does_not_end() -> None:
    def peer(link: Link, _: socket.socket) -> None:
        link.send(Kind.HELLO, 0, HELLO)

    with facing(peer, ready=False) as agent:
        agent.greet(time.monotonic() + 5)
        with expect("load_timeout"):
            load(agent, load_seconds=0.3)


@pytest.mark.parametrize(
    ("hello", "error", "code"),
    [
        ({**HELLO, "protocol": "2.0"}, OperatorError, "image_missing"),
        ({**HELLO, "protocol": "one"}, SubmissionError, "protocol"),
        ({**HELLO, "harness": "<script>"}, SubmissionError, "protocol"),
        ({**HELLO, "build": "label: tea"}, SubmissionError, "protocol"),
        ({**HELLO, "more": "x"}, SubmissionError, "protocol"),
        ({"protocol": "1.0"}, SubmissionError, "protocol"),
    ],
)
def test_a_hello_that_is_none(hello: dict[str, str], error: type[RostrumError], code: str) -> None:
    def peer(link: Link, _: socket.socket) -> None:
        link.send(Kind.HELLO, 0, hello)

    expected = pytest.raises(error, check=lambda raised: raised.code == code)
    with facing(peer, ready=False) as agent, expected:
        agent.greet(time.monotonic() + 5)


def test_another_minor_version_is_let_in() -> None:
    def peer(link: Link, _: socket.socket) -> None:
        link.send(Kind.HELLO, 0, {**HELLO, "protocol": "1.9"})

    with facing(peer, ready=False) as agent:
        agent.greet(time.monotonic() + 5)
        assert agent.hello["protocol"] == "1.9"


@pytest.mark.parametrize("peer", [lambda link, raw: None, lambda link, raw: raw.close()])
def test_no_hello_is_our_own_fault(peer: Peer) -> None:
    with facing(peer, ready=False) as agent, expect("start_timeout"):
        agent.greet(time.monotonic() + 0.2)


def test_the_listener_lets_one_in_and_removes_its_file(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)  # an address holds 107 bytes
    deep.mkdir()
    with Listener(deep, uid=os.getuid()) as listener:
        path = listener.path
        assert path == deep / "agent.sock"
        first = Link.connect(path)
        waiting = Link.connect(path)
        first.send(Kind.HELLO, 0, HELLO)
        with listener.accept(timeout=5) as agent:
            assert agent.hello == HELLO
            assert not path.exists()
            with pytest.raises(OSError, match="No such file"):
                Link.connect(path)
            with pytest.raises((ConnectionError, EOFError)):
                waiting.receive()
    first.close()
    waiting.close()


def test_the_listener_turns_another_user_away(tmp_path: Path) -> None:
    with Listener(tmp_path, uid=os.getuid() + 1) as listener:
        other = Link.connect(listener.path)
        other.send(Kind.HELLO, 0, HELLO)
        with expect("start_timeout"):
            listener.accept(timeout=0.3)
        with pytest.raises((ConnectionError, EOFError)):
            other.receive()
        other.close()
    assert not (tmp_path / "agent.sock").exists()


def test_without_a_user_only_our_own_may_open_the_file(tmp_path: Path) -> None:
    with Listener(tmp_path, uid=None) as listener:
        assert listener.path.stat().st_mode & 0o777 == 0o600
        with expect("start_timeout"):
            listener.accept(timeout=0.1)
