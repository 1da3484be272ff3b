"""What comes out of a build sandbox is hostile: only plain files within bounds get through."""

import json
import os
import socket
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from worker.images.inside_build import END, EXECUTABLE, HEADER, HELLO, PLAIN, REPORT
from worker.images.parcel import (
    BadParcelError,
    Hatch,
    NotBegunError,
    Package,
    Parcel,
    TooLargeError,
)

REPORTED: dict[str, Any] = {
    "status": 0,
    "packages": [{"name": "nltk", "version": "3.9", "sha256": "0" * 64}],
}


def report(document: object = REPORTED) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return HEADER.pack(REPORT, 0, len(body)) + body


def file(
    path: bytes, content: bytes = b"x", *, kind: int = PLAIN, size: int | None = None
) -> bytes:
    length = len(content) if size is None else size
    return HEADER.pack(kind, len(path), length) + path + content


OVER = HEADER.pack(END, 0, 0)
GREETING = HEADER.pack(HELLO, 0, 0)


class GoneError(Exception):
    """What the tick of these tests raises."""


def received(tmp_path: Path, sent: Sequence[bytes], *, most: int = 1 << 20) -> Parcel:
    """What is made of these bytes, sent by a peer that then hangs up."""
    folder = tmp_path / "out"
    folder.mkdir()
    me = os.geteuid()
    hatch = Hatch(tmp_path / "s", uid=me, most=most, tick=lambda: None, ended=lambda: False)

    def send() -> None:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "s"))
            try:
                for piece in (GREETING, *sent):
                    peer.sendall(piece)
            except OSError:
                pass

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return hatch.receive(folder)
    finally:
        hatch.close()
        thread.join(10)


def test_files_arrive_with_their_modes_and_a_name_for_the_whole(tmp_path: Path) -> None:
    sent = [report(), file(b"a/b.py", b"one"), file(b"run", b"two", kind=EXECUTABLE), OVER]
    parcel = received(tmp_path, sent)
    assert (parcel.status, parcel.bytes, parcel.files) == (0, 6, 2)
    assert parcel.packages == (Package("nltk", "3.9", "0" * 64),)
    out = tmp_path / "out"
    assert (out / "a/b.py").read_text() == "one"
    modes = [stat.S_IMODE((out / name).stat().st_mode) for name in ("a", "a/b.py", "run")]
    assert modes == [0o755, 0o644, 0o755]


def digest(folder: Path, *entries: bytes) -> str:
    folder.mkdir()
    return received(folder, [report(), *entries, OVER]).digest


def test_the_name_is_of_the_content_not_of_the_way_it_was_installed(tmp_path: Path) -> None:
    one, two = file(b"a"), file(b"b", b"y")
    first = digest(tmp_path / "1", one, two)
    assert digest(tmp_path / "2", two, one) == first
    assert digest(tmp_path / "3", one, two, file(b"n-1.dist-info/RECORD", b"r")) == first
    assert digest(tmp_path / "4", one, two, file(b"RECORD", b"r")) != first
    assert digest(tmp_path / "5", one, file(b"b", b"z")) != first


@pytest.mark.parametrize(
    "path",
    [
        b"../evil",
        b"a/../../evil",
        b"/etc/passwd",
        b"a//b",
        b"./a",
        b"a\0b",
        b"\xff",
        b"a/" * 60 + b"b",
        b"x" * 2000,
        b"",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: bytes) -> None:
    with pytest.raises(BadParcelError):
        received(tmp_path, [report(), file(path), OVER])
    assert [one.name for one in tmp_path.iterdir() if one.name not in ("out", "s")] == []


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [b"\x00" * 5],
        [OVER],
        [HEADER.pack(REPORT, 0, 1 << 62)],
        [report(b"[" * 100_000)],
        [report(b"{}")],
        [report({"status": "0", "packages": []})],
        [report({"status": 0, "packages": [{"name": "x\n", "version": "1", "sha256": None}]})],
        [report({"status": 0, "packages": [{"name": "x", "version": "1", "sha256": "../"}]})],
        [report({"status": 0, "packages": [7]})],
        [report({"status": 0, "packages": [{}] * 2000})],
        [report(), file(b"a", kind=9)],
        [report(), file(b"a"), file(b"a"), OVER],
        [report(), file(b"a"), file(b"a/b"), OVER],
        [report(), file(b"a", b"short", size=100)],
        [report(), file(b"a")],
    ],
)
def test_anything_else_is_no_parcel(tmp_path: Path, sent: list[bytes]) -> None:
    with pytest.raises(BadParcelError):
        received(tmp_path, sent)


def test_more_bytes_than_allowed_are_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError):
        received(tmp_path, [report(), file(b"a", b"", size=1 << 62)])
    assert list((tmp_path / "out").iterdir()) == []


def test_more_files_than_allowed_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.images.parcel.MAX_FILES", 3)
    with pytest.raises(TooLargeError):
        received(tmp_path, [report(), *(file(b"%d" % n) for n in range(9)), OVER])
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize(
    "sent", [b"", GREETING, GREETING + report(), GREETING + report() + file(b"a", b"", size=5)]
)
def test_whoever_waits_is_asked_whether_to_go_on(tmp_path: Path, sent: bytes) -> None:
    def tick() -> None:
        raise GoneError

    folder = tmp_path / "out"
    folder.mkdir()
    hatch = Hatch(tmp_path / "s", uid=os.geteuid(), most=9, tick=tick, ended=lambda: False)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(sent)
        with pytest.raises(GoneError):
            hatch.receive(folder)
    hatch.close()


def test_a_build_that_never_began_is_not_waited_for(tmp_path: Path) -> None:
    hatch = Hatch(tmp_path / "s", uid=0, most=9, tick=lambda: None, ended=lambda: True)
    with pytest.raises(NotBegunError):
        hatch.receive(tmp_path)
    hatch.close()


@pytest.mark.parametrize("said", [b"", OVER, b"\x00" * 200])
def test_a_build_that_says_something_else_first_has_not_begun(tmp_path: Path, said: bytes) -> None:
    hatch = Hatch(tmp_path / "s", uid=os.geteuid(), most=9, tick=lambda: None, ended=lambda: False)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "s"))
        peer.sendall(said)
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises(NotBegunError):
            hatch.receive(tmp_path)
    hatch.close()
