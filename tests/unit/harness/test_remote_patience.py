"""The evaluator's end of the socket: its patience with peers, their HELLO, and the listener."""

import os
import socket
import time
from pathlib import Path

import pytest

from harness.dialogue import Context, Turn
from harness.errors import OperatorError, RostrumError, SubmissionError
from harness.remote.client import Listener
from harness.remote.frames import Kind, pack
from harness.remote.link import Link
from tests.wirepeers import CONTEXTS, HELLO, Peer, expect, facing, load, sending


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
