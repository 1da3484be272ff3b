"""Sparse rows at the evaluator's end: what 1.1 adds, and what is refused of it."""

import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from harness.dialogue import Context
from harness.errors import OperatorError, RostrumError
from harness.remote.client import RemoteAgent
from harness.remote.frames import HEADER, Kind, array, dumps, sparse
from harness.remote.handshake import hello
from harness.remote.link import Link
from harness.rows import check_rows, declared_base
from harness.text import Vocabulary

VOCABULARY = Vocabulary.from_counts({f"w{number}": 1 for number in range(96)})
WORDS = len(VOCABULARY)
CONTEXTS = [Context("one"), Context("two")]
BASE = np.arange(1, WORDS + 1, dtype="<f4")
READY = dumps(array("<f4", (WORDS,)))
STARTS = np.array([0, 1, 3], "<i8").tobytes()
COLUMNS = np.array([5, 0, 99], "<i4").tobytes()
WEIGHTS = np.array([2, 0, 7], "<f4").tobytes()
GOOD = STARTS + COLUMNS + WEIGHTS
GOOD_BODY = dumps(sparse(rows=2, changes=3))
DENSE = np.ones((2, WORDS), "<f4").tobytes()


def frame(kind: Kind, sequence: int, body: bytes, binary: bytes = b"") -> bytes:
    return HEADER.pack(b"RSTR", 1, kind, 0, sequence, len(body), len(binary)) + body + binary


@contextmanager
def facing(
    *frames: bytes, protocol: str = "1.1", ready: bytes | None = None, loaded: bool = True
) -> Iterator[RemoteAgent]:
    """An agent whose other end says HELLO and READY, then one of the frames to each request."""
    ours, theirs = socket.socketpair()
    base = frame(Kind.READY, 0, READY, BASE.tobytes()) if ready is None else ready

    def run() -> None:
        link = Link(theirs)
        link.send(Kind.HELLO, 0, hello(harness="0", build="0" * 64) | {"protocol": protocol})
        try:
            for answer in (base, *frames):
                link.receive()
                theirs.sendall(answer)
            theirs.recv(1)
        except (OSError, EOFError):
            pass  # the evaluator hung up first
        finally:
            theirs.close()

    thread = threading.Thread(target=run)
    thread.start()
    with RemoteAgent(ours) as agent:
        agent.greet(time.monotonic() + 5)
        if loaded:
            load(agent)
        yield agent
    thread.join(10)
    assert not thread.is_alive()


def load(
    agent: RemoteAgent, track: Any = "ppl", vocabulary: Vocabulary | None = VOCABULARY
) -> None:
    agent.load(
        track,
        vocabulary=vocabulary,
        load_seconds=5,
        batch_seconds=5,
        bank_seconds=0,
        total_seconds=20,
    )


def ask(agent: RemoteAgent) -> Any:
    return agent.next_word_probabilities(CONTEXTS, [(), ()], VOCABULARY)


def expect(code: str, detail: str | None = None) -> "pytest.RaisesExc[RostrumError]":
    return pytest.raises(
        RostrumError, check=lambda error: (error.code, error.detail) == (code, detail)
    )


def test_a_base_row_and_changes_to_it() -> None:
    reply = frame(Kind.REPLY, 1, GOOD_BODY, GOOD)
    dense = frame(Kind.REPLY, 2, dumps(array("<f4", (2, WORDS))), DENSE)
    with facing(reply, dense) as agent:
        base = declared_base(agent, VOCABULARY)
        assert base is not None
        answer = ask(agent)
        checked = check_rows(answer, count=2, vocabulary_size=WORDS, base=base)
        assert checked.sums.tolist() == [5050 - 6 + 2, 5050 - 101 + 7]
        assert checked.at(np.array([0, 1, 1]), np.array([5, 0, 1])).tolist() == [2, 0, 2]
        assert check_rows(ask(agent), count=2, vocabulary_size=WORDS, base=base).sums.tolist() == [
            WORDS,
            WORDS,
        ]
        assert base.weights.tolist() == BASE.tolist()  # no view of what came later


@pytest.mark.parametrize(
    ("body", "binary"),
    [
        (GOOD_BODY, GOOD[:-8]),
        (GOOD_BODY, GOOD + bytes(8)),
        (GOOD_BODY, GOOD[:-1]),
        (dumps(sparse(rows=1, changes=4)), GOOD),
        (dumps(sparse(rows=2, changes=4)), GOOD),
        (dumps(sparse(rows=2, changes=-1)), STARTS[:16]),
        (dumps(sparse(rows=2, changes=10**18)), GOOD),
        (b'{"sparse":{"rows":2,"changes":3.0}}', GOOD),
        (b'{"sparse":{"rows":true,"changes":3}}', GOOD),
        (b'{"sparse":{"rows":2}}', GOOD),
        (b'{"sparse":{"rows":2,"changes":3,"x":1}}', GOOD),
        (b'{"sparse":[2,3]}', GOOD),
        (b'{"sparse":{},"array":{}}', GOOD),
        (b'{"replies":["a","b"]}', GOOD),
        (dumps(array("<f4", (2, WORDS))), GOOD),
        (dumps(array("<f4", (2, WORDS))), DENSE + bytes(8)),
        (dumps(sparse(rows=2, changes=99)), STARTS + bytes(8 * 99)),
        (GOOD_BODY + b" " * 100, GOOD),
    ],
)
def test_sparse_rows_of_another_size_than_said(body: bytes, binary: bytes) -> None:
    with facing(frame(Kind.REPLY, 1, body, binary)) as agent, expect("protocol"):
        ask(agent)


def test_more_than_dense_rows_is_refused_on_the_header() -> None:
    head = struct.pack("<4sBBHIIQ", b"RSTR", 1, Kind.REPLY, 0, 1, len(GOOD_BODY), 2**40)
    with facing(head + GOOD_BODY) as agent:
        tracemalloc.start()
        try:
            with expect("protocol"):
                ask(agent)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


def test_what_does_not_fit_its_json_is_refused_before_it_is_received() -> None:
    """The array never comes: a reader that waited for it would end by the deadline."""
    head = struct.pack("<4sBBHIIQ", b"RSTR", 1, Kind.REPLY, 0, 1, len(GOOD_BODY), 100)
    with facing(head + GOOD_BODY) as agent, expect("protocol"):
        ask(agent)


def test_sparse_rows_of_an_inside_that_declared_none() -> None:
    with facing(frame(Kind.REPLY, 1, GOOD_BODY, GOOD), ready=frame(Kind.READY, 0, b"{}")) as agent:
        assert declared_base(agent, VOCABULARY) is None
        with expect("protocol"):
            ask(agent)


@pytest.mark.parametrize(
    ("body", "binary"),
    [
        (READY, BASE[:-1].tobytes()),
        (READY, b""),
        (b"{}", BASE.tobytes()),
        (dumps(array("<f8", (WORDS,))), BASE.tobytes()),
        (dumps(array("<f4", (1, WORDS))), BASE.tobytes()),
        (b'{"base":1}', b""),
        (b"[]", b""),
    ],
)
def test_a_base_row_of_another_form(body: bytes, binary: bytes) -> None:
    with (
        facing(ready=frame(Kind.READY, 0, body, binary), loaded=False) as agent,
        expect("protocol"),
    ):
        load(agent)


def test_a_base_row_on_another_track() -> None:
    with facing(loaded=False) as agent, expect("protocol"):
        load(agent, "f1", None)


def test_an_inside_of_1_0_may_not_declare_one_and_is_told_no_version() -> None:
    with facing(protocol="1.0", loaded=False) as agent, expect("protocol"):
        load(agent)


@pytest.mark.parametrize(
    ("value", "detail"), [(np.nan, "not_finite"), (-1, "negative"), (np.inf, "not_finite")]
)
def test_a_base_row_whose_values_are_none_is_the_predictions_fault(
    value: float, detail: str
) -> None:
    row = BASE.copy()
    row[7] = value
    with (
        facing(ready=frame(Kind.READY, 0, READY, row.tobytes())) as agent,
        expect("invalid_prediction", detail),
    ):
        declared_base(agent, VOCABULARY)


@pytest.mark.parametrize(
    ("binary", "detail"),
    [
        (np.array([0, 3, 1], "<i8").tobytes() + COLUMNS + WEIGHTS, "wrong_count"),
        (STARTS + np.array([5, 99, 0], "<i4").tobytes() + WEIGHTS, "wrong_count"),
        (STARTS + np.array([5, 0, 100], "<i4").tobytes() + WEIGHTS, "wrong_count"),
        (STARTS + COLUMNS + np.array([2, 0, np.nan], "<f4").tobytes(), "not_finite"),
        (STARTS + COLUMNS + np.array([2, 0, -7], "<f4").tobytes(), "negative"),
    ],
)
def test_changes_whose_values_are_none(binary: bytes, detail: str) -> None:
    with facing(frame(Kind.REPLY, 1, GOOD_BODY, binary)) as agent:
        base = declared_base(agent, VOCABULARY)
        answer = ask(agent)
        with expect("invalid_prediction", detail):
            check_rows(answer, count=2, vocabulary_size=WORDS, base=base)


def test_another_dictionary_is_our_own_mistake() -> None:
    with facing() as agent, pytest.raises(ValueError, match="another dictionary"):
        agent.base_row(Vocabulary.from_counts({}))


@pytest.mark.parametrize("protocol", ["0.9", "2.0", "11.1"])
def test_another_major_is_the_platforms_fault(protocol: str) -> None:
    with (
        pytest.raises(OperatorError, check=lambda error: error.code == "image_missing"),
        facing(protocol=protocol, loaded=False),
    ):
        pass
