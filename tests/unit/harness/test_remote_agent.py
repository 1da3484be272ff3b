"""The evaluator's end of the socket against peers that play by the rules and peers that do not."""

import pickle
import socket
import struct
import threading
import tracemalloc

import numpy as np
import pytest

from harness.dialogue import Context, Turn
from harness.errors import VERDICTS
from harness.remote.client import RemoteAgent
from harness.remote.frames import Kind, array, dumps, pack
from harness.remote.link import Link
from tests.wirepeers import CONTEXTS, HELLO, VOCABULARY, Peer, answering, expect, facing, sending

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
