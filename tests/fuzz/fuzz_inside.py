"""Fuzz the inside's end, guided by coverage: whatever the evaluator sends, the session ends.

    python tests/fuzz/fuzz_inside.py CORPUS [libFuzzer options]

The law: a session ends with BYE, by status 1 (after FAIL), by `FrameError` or by `EOFError`; no
more room is made than twice the bytes that came, or a piece. Needs atheris.
"""

import contextlib
import io
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness"]):
    from harness.remote.frames import FrameError, Kind
    from harness.remote.handshake import hello
    from harness.remote.link import Link
    from harness.remote.session import Session

import agents
from bent import seed
from recorded import case, frames_from
from scripted import ScriptedSocket
from sessions import SESSIONS

BOUND = 1 << 20
"""The piece in which room is made; no fuzzer's input is as large."""

RECORDED = frames_from("outside")
NAMES = sorted(RECORDED)


def one(data: bytes) -> None:
    """One session against the frames of an input."""
    name, chunk, frames = case(data, RECORDED)
    link = ScriptedSocket(b"", frames, chunk=chunk)
    with contextlib.redirect_stderr(io.StringIO()):  # tracebacks of the agents
        status = 1
        try:
            session(Link(link), SESSIONS[name])
        except (FrameError, EOFError):
            pass
        except SystemExit as end:
            status = end.code
    assert status == 1
    assert link.largest <= BOUND


def session(link: Link, kind: object) -> None:
    """Say HELLO, be loaded, answer until BYE."""
    link.send(Kind.HELLO, 0, hello(harness="0.1.0", build="0" * 64))
    opened = Session.opened(link)
    opened.serve(getattr(agents, kind.agent), track=opened.track)


if __name__ == "__main__":
    seed(Path(sys.argv[1]), RECORDED)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
