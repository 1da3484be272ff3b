"""Both ends against bytes of any kind, quickly; `tests/fuzz` does the same guided by coverage.

The law outside: within its deadline a session ends with an answer or with an error of a known
code, never another exception. The law inside: it ends, by status 1, `FrameError` or `EOFError`.
"""

import contextlib
import io
import socket
import threading
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.dialogue import Context
from harness.errors import VERDICTS, RostrumError
from harness.remote.client import RemoteAgent
from harness.remote.frames import FrameError, Kind, array, pack, sparse
from harness.remote.handshake import hello
from harness.remote.link import Link
from harness.remote.session import Session
from harness.rows import check_rows, declared_base
from harness.text import Vocabulary

VOCABULARY = Vocabulary.from_counts({"tea": 2, "milk": 1})
WORDS = len(VOCABULARY)
CONTEXTS = [Context("one"), Context("two")]
SECONDS = 0.3
"""The deadline of everything here; an end may come as much later as a busy machine takes."""

HELLO = pack(Kind.HELLO, 0, hello(harness="0.1.0", build="0" * 64))
READY = pack(Kind.READY, 0, array("<f4", (WORDS,)), binary_bytes=24) + np.ones(6, "<f4").tobytes()
CHANGES = np.array([0, 1, 2], "<i8").tobytes() + np.array([4, 5], "<i4").tobytes() + bytes(8)
SPARSE = pack(Kind.REPLY, 1, sparse(rows=2, changes=2), binary_bytes=len(CHANGES)) + CHANGES
DENSE = pack(Kind.REPLY, 2, array("<f4", (2, 6)), binary_bytes=48) + np.ones(12, "<f4").tobytes()
FROM_INSIDE = [HELLO, READY, SPARSE, DENSE]

_TSV = VOCABULARY.to_tsv().encode()
_LOAD = {
    "track": "ppl",
    "vocabulary": {"entries": WORDS, "sha256": VOCABULARY.sha256},
    "limits": dict.fromkeys(("load", "batch", "bank", "total"), 1.0),
    "protocol": "1.1",
}
_WHOLE = {"id": "a", "persona": ["p"], "partner_persona": [], "turns": [["partner", "hi"]]}
_ASK = {"verb": "next_word_probabilities", "contexts": [_WHOLE], "prefixes": [["tea"]]}
FROM_OUTSIDE = [
    pack(Kind.LOAD, 0, _LOAD, binary_bytes=len(_TSV)) + _TSV,
    pack(Kind.REQUEST, 1, _ASK),
    pack(Kind.REQUEST, 2, _ASK | {"contexts": ["a"]}),
    pack(Kind.BYE, 3, {}),
]

THEIRS = {
    *("protocol", "early_exit", "crashed", "invalid_prediction", "load_timeout", "batch_timeout")
}

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def mutated(draw: st.DrawFn, frames: Sequence[bytes]) -> list[bytes]:
    """The frames of a session, with a few bytes of one of them changed, cut out or put in."""
    place = draw(st.integers(0, len(frames) - 1))
    frame = bytearray(frames[place])
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(frame)))
        end = start + draw(st.integers(0, 4))
        frame[start:end] = draw(st.binary(max_size=8) | st.sampled_from([b"\\ud800", b"[", b"NaN"]))
    return [*frames[:place], bytes(frame), *frames[place + 1 :]]


def outside(frames: Sequence[bytes], *, cuts: Sequence[int] = (), pause: float = 0.0) -> str:
    """How the evaluator ends whose peer sends these frames, one after each of ours."""
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def play() -> None:
        with theirs, contextlib.suppress(OSError, EOFError, FrameError):
            theirs.settimeout(5)
            for place, frame in enumerate(frames):
                if place:
                    wait_for_frame(theirs)
                for piece in pieces(frame, cuts):
                    theirs.sendall(piece)
                    stop.wait(pause)

    thread = threading.Thread(target=play)
    thread.start()
    start = time.monotonic()
    try:
        with RemoteAgent(ours) as agent:
            return converse(agent)
    except RostrumError as error:
        return error.code if error.detail in (None, *VERDICTS[error.code].details) else "unknown"
    finally:
        assert time.monotonic() - start < 4 * SECONDS + 3
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def converse(agent: RemoteAgent) -> str:
    agent.greet(time.monotonic() + SECONDS)
    agent.load(
        "ppl",
        vocabulary=VOCABULARY,
        load_seconds=SECONDS,
        batch_seconds=SECONDS,
        bank_seconds=0,
        total_seconds=10,
    )
    base = declared_base(agent, VOCABULARY)
    for _ in range(2):
        answer = agent.next_word_probabilities(CONTEXTS, [(), ("x",)], VOCABULARY)
        rows = check_rows(answer, count=2, vocabulary_size=WORDS, base=base)
        assert (rows.sums > 0).all()
    return "fine"


def wait_for_frame(link: socket.socket) -> None:
    """One whole frame of ours; what it says does not matter."""
    head = link.recv(24, socket.MSG_WAITALL)
    rest = int.from_bytes(head[12:16], "little") + int.from_bytes(head[16:24], "little")
    if rest:
        link.recv(rest, socket.MSG_WAITALL)


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def inside(frames: Sequence[bytes]) -> str:
    """How the inside ends that is sent all of this, after which the evaluator hangs up."""
    ours, theirs = socket.socketpair()
    end = "BYE"
    with theirs, contextlib.redirect_stderr(io.StringIO()):
        theirs.sendall(b"".join(frames))
        theirs.shutdown(socket.SHUT_WR)
        link = Link(ours)
        try:
            session = Session.opened(link)
            session.serve(Constant, track=session.track)
        except (FrameError, EOFError) as error:
            end = type(error).__name__
        except SystemExit as stopped:
            end = f"status {stopped.code}"
        finally:
            link.close()
    return end


class Constant:
    """All rows alike, sparse."""

    def base_row(self, vocabulary: Vocabulary) -> np.ndarray:
        return np.ones(len(vocabulary), np.float32)

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: object, vocabulary: Vocabulary
    ) -> np.ndarray:
        return np.ones((len(contexts), len(vocabulary)), np.float32)


def test_the_sessions_that_are_mutated_are_right() -> None:
    assert outside(FROM_INSIDE) == "fine"
    assert inside(FROM_OUTSIDE) == "BYE"


@quick
@given(mutated(FROM_INSIDE))
def test_mutated_frames_from_inside(frames: list[bytes]) -> None:
    assert outside(frames) in {"fine", "image_missing", "start_timeout", *THEIRS}


@quick
@given(st.binary(max_size=200))
def test_random_bytes_from_inside(data: bytes) -> None:
    assert outside([HELLO, data]) in {"early_exit", "protocol"}


@quick
@given(st.lists(st.integers(0, 200), max_size=8))
def test_however_the_bytes_are_cut_the_answer_is_the_same(cuts: list[int]) -> None:
    assert outside(FROM_INSIDE, cuts=cuts) == "fine"


def test_a_peer_that_is_slow_is_late() -> None:
    every_byte = list(range(300))
    assert outside([HELLO, READY], cuts=every_byte, pause=0.05) == "start_timeout"
    assert outside([HELLO, *FROM_INSIDE[1:]], cuts=[0], pause=SECONDS * 2) == "load_timeout"


@quick
@given(mutated(FROM_OUTSIDE))
def test_mutated_frames_from_outside(frames: list[bytes]) -> None:
    assert inside(frames) in {"BYE", "FrameError", "EOFError", "status 1"}


@quick
@given(st.lists(st.binary(max_size=100), max_size=4))
def test_random_bytes_from_outside(frames: list[bytes]) -> None:
    assert inside(frames) in {"FrameError", "EOFError"}
