"""Recorded sessions, replayed against each end: what we send is what was sent, to the byte.

`record_transcripts.py` beside this file makes them anew, with real processes of both versions.
"""

import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from harness.remote.client import RemoteAgent
from harness.remote.frames import HEADER, FrameError, Kind, pack, unpack
from harness.remote.handshake import hello
from harness.remote.link import Link
from harness.remote.session import Session

FOLDER = Path(__file__).resolve().parent / "transcripts"


def module(name: str) -> ModuleType:
    """A module of the folder; it is no package, because a sandbox imports its agents too."""
    spec = importlib.util.spec_from_file_location(f"transcripts_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


SESSIONS = module("sessions")
AGENTS = module("agents")
OURS_OUTSIDE = [name for name, item in SESSIONS.SESSIONS.items() if item.outside == "1.1"]
OURS_INSIDE = [name for name, item in SESSIONS.SESSIONS.items() if item.inside == "1.1"]


class Recorded(NamedTuple):
    """One file: what the evaluator made of it, and the frames with their senders."""

    said: list[Any]
    frames: list[tuple[str, bytes]]

    def sent(self, sender: str) -> bytes:
        return b"".join(frame for who, frame in self.frames if who == sender)


def recorded(name: str) -> Recorded:
    head, *lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return Recorded(
        json.loads(head)["said"], [(row["from"], bytes.fromhex(row["hex"])) for row in rows]
    )


class Peer(threading.Thread):
    """The recorded other end: sends its frames, and reads as many bytes as ours once sent."""

    def __init__(self, link: socket.socket, frames: list[tuple[str, bytes]], *, plays: str):
        super().__init__()
        self.got = b""
        self._link, self._frames, self._plays = link, frames, plays
        link.settimeout(20)

    def run(self) -> None:
        with self._link, suppress(ConnectionError):  # whoever said FAIL hears no BYE
            for sender, frame in self._frames:
                if sender == self._plays:
                    self._link.sendall(frame)
                else:
                    self._read(len(frame))
            while more := self._link.recv(1 << 16):
                self.got += more

    def _read(self, size: int) -> None:
        end = len(self.got) + size
        while len(self.got) < end:
            more = self._link.recv(end - len(self.got))
            if not more:
                return
            self.got += more


def test_every_session_is_recorded_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(SESSIONS.SESSIONS)


@pytest.mark.parametrize("name", OURS_OUTSIDE)
def test_the_evaluator_against_a_recorded_inside(name: str) -> None:
    session, record = SESSIONS.SESSIONS[name], recorded(name)
    ours, theirs = socket.socketpair()
    peer = Peer(theirs, record.frames, plays="inside")
    peer.start()
    with RemoteAgent(ours) as agent:
        agent.greet(time.monotonic() + 10)
        assert agent.hello["protocol"] == session.inside
        said = SESSIONS.converse(agent, session)
    peer.join(20)
    assert json.loads(json.dumps(said)) == record.said
    assert peer.got == record.sent("outside")


@pytest.mark.parametrize("name", OURS_INSIDE)
def test_the_inside_against_a_recorded_evaluator(name: str) -> None:
    session, record = SESSIONS.SESSIONS[name], recorded(name)
    ours, theirs = socket.socketpair()
    peer = Peer(theirs, record.frames, plays="outside")
    peer.start()
    status = serve(ours, session, said_hello=record.frames[0][1])
    peer.join(20)
    assert peer.got == record.sent("inside")
    assert status == (1 if any("code" in part for part in dicts(record.said)) else 0)


def serve(link: socket.socket, session: Any, *, said_hello: bytes) -> int:
    """Serve the session's agent; HELLO names the harness and the build that were recorded."""
    body = json.loads(said_hello[HEADER.size :])
    wire = Link(link)
    try:
        wire.send(Kind.HELLO, 0, hello(harness=body["harness"], build=body["build"]))
        Session.opened(wire).serve(getattr(AGENTS, session.agent), track=session.track)
    except SystemExit as end:
        return int(str(end.code))
    finally:
        wire.close()
    return 0


def dicts(said: list[Any]) -> Iterator[dict[str, Any]]:
    return (part for part in said if isinstance(part, dict))


def test_the_frames_are_whole_and_say_what_the_file_says() -> None:
    for name in SESSIONS.SESSIONS:
        for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
            row = json.loads(line)
            frame = bytes.fromhex(row["hex"])
            header = unpack(frame[: HEADER.size])
            assert len(frame) == HEADER.size + header.json_bytes + header.binary_bytes
            text = frame[HEADER.size :][: header.json_bytes].decode()
            assert row["says"] == f"{header.kind.name} {text}"


@pytest.mark.parametrize(
    "frame",
    [
        pack(Kind.REQUEST, 1, {}),
        pack(Kind.BYE, 1, {}),
        pack(Kind.LOAD, 0, {"track": "chess", "vocabulary": None, "limits": {}}),
        pack(Kind.LOAD, 0, {}),
        b"\0" * 64,
    ],
)
def test_an_inside_that_is_not_loaded_ends(frame: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(frame)
        with pytest.raises(FrameError):
            Session.opened(Link(ours))
    ours.close()
