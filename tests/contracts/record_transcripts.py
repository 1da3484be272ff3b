"""Record the sessions of `transcripts/sessions.py` anew, one JSONL file each.

    git archive 5c17318 harness | tar -x -C /tmp/rostrum-1.0
    python tests/contracts/record_transcripts.py --old /tmp/rostrum-1.0 [NAME ...]

Real ends speak: `harness.remote.serve` in one process, the evaluator's `RemoteAgent` in another,
and a proxy between them keeps the frames. Where a session wants a side of 1.0, that process
imports the harness in the folder given by `--old` (commit 5c17318 was the last of 1.0). The first
line of a file says what the evaluator made of the session; then one line a frame, in order, `hex`
being all of its bytes; `says` is for readers.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "transcripts"
PROJECT = HERE.parent.parent
sys.path[:0] = [str(FOLDER)]

from sessions import SESSIONS, Session, converse  # noqa: E402  # needs the path above

from harness.remote.client import Listener  # noqa: E402  # likewise
from harness.remote.frames import HEADER, Kind, unpack  # noqa: E402  # likewise


def main() -> None:
    """Record all sessions, or the named ones."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--old", type=Path, help="a folder with the harness of 1.0")
    parser.add_argument("--outside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.outside:
        evaluate(SESSIONS[options.names[0]], Path(options.outside))
        return
    for name in options.names or SESSIONS:
        session = SESSIONS[name]
        if "1.0" in (session.inside, session.outside) and options.old is None:
            print(f"{name}: left as it is; it needs --old")
            continue
        lines = record(name, session, old=options.old)
        (FOLDER / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(lines) - 1} frames")


def evaluate(session: Session, folder: Path) -> None:
    """The evaluator's process: print what came back."""
    with Listener(folder, uid=None) as listener, listener.accept(timeout=20) as agent:
        print(json.dumps(converse(agent, session)))


def record(name: str, session: Session, *, old: Path | None) -> list[str]:
    """The lines of one file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for part in ("outside", "inside", "code"):
            (folder / part).mkdir()
        (folder / "code" / "agents.py").write_bytes((FOLDER / "agents.py").read_bytes())
        file = folder / "code" / f"eval_{session.track}.py"
        file.write_text(
            f"from agents import {session.agent}\nfrom harness import eval_{session.track}\n"
            f"eval_{session.track}({session.agent})\n",
            encoding="utf-8",
        )
        roots = {"1.0": old, "1.1": PROJECT}
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(folder / "inside" / "agent.sock"))
        door.listen(1)
        outside = start(
            [__file__, name, "--outside", str(folder / "outside")], roots[session.outside]
        )
        inside = start(
            ["-P", "-m", "harness.remote.serve", str(file)],
            roots[session.inside],
            ROSTRUM_SOCKET=str(folder / "inside" / "agent.sock"),
        )
        frames = carry(door, folder / "outside" / "agent.sock")
        said, _ = outside.communicate(timeout=30)
        inside.wait(30)
        door.close()
    head = json.dumps({"said": json.loads(said)}, ensure_ascii=True)
    return [head + "\n", *(line(sender, frame) for sender, frame in frames)]


def start(arguments: list[str], root: Path | None, **environment: str) -> "subprocess.Popen[str]":
    """A Python whose harness is that of `root`."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(root), "PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def carry(door: socket.socket, path: Path) -> list[tuple[str, bytes]]:
    """Every frame between the two, in order, until both are gone."""
    child, _ = door.accept()
    evaluator = socket.socket(socket.AF_UNIX)
    while True:
        try:
            evaluator.connect(str(path))
            break
        except (FileNotFoundError, ConnectionRefusedError):
            threading.Event().wait(0.05)  # it is still importing
    log: list[tuple[str, bytes]] = []
    threads = [
        threading.Thread(target=forward, args=(child, evaluator, "inside", log)),
        threading.Thread(target=forward, args=(evaluator, child, "outside", log)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    child.close()
    evaluator.close()
    return log


def forward(
    source: socket.socket, target: socket.socket, sender: str, log: list[tuple[str, bytes]]
) -> None:
    """Pass whole frames on, logged before they are."""
    try:
        for frame in frames_of(source):
            log.append((sender, frame))
            target.sendall(frame)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has left first


def frames_of(source: socket.socket) -> Iterator[bytes]:
    """One whole frame after the other."""
    with source.makefile("rb") as stream:
        while head := stream.read(HEADER.size):
            header = unpack(head)
            yield head + stream.read(header.json_bytes + header.binary_bytes)


def line(sender: str, frame: bytes) -> str:
    """One frame as a line of its file."""
    header = unpack(frame[: HEADER.size])
    text = frame[HEADER.size :][: header.json_bytes].decode()
    row: dict[str, Any] = {"from": sender, "says": f"{Kind(header.kind).name} {text}"}
    return json.dumps(row | {"hex": frame.hex()}, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    main()
