"""What comes out of a build sandbox: files over a socket, every byte of them checked.

No folder is shared with a build. It sends paths, sizes and contents; the reader makes plain files
in a folder of its own, within bounds, and takes neither links nor anything special.
"""

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from worker.images.door import POLL_SECONDS, open_door, peer_uid
from worker.images.inside_build import END, EXECUTABLE, HEADER, HELLO, PLAIN, REPORT

MAX_FILES = 200_000
MAX_REPORT = 1 << 20
MAX_PACKAGES = 1000
MAX_PATH = 1024
MAX_DEPTH = 40
START_SECONDS = 30.0
"""How long the inside may take to stand."""

_CHUNK = 1 << 20
_UNSTEADY = ("RECORD", "REQUESTED")
"""Of a `.dist-info` folder: they say how it was installed, not what."""

_TEXT = re.compile(r"[\x21-\x7e]{1,200}")


class BadParcelError(Exception):
    """What arrived is no parcel of ours, or none arrived."""


class NotBegunError(Exception):
    """The inside never said that it stands, before it read anything of anybody."""


class TooLargeError(Exception):
    """More bytes or files than allowed."""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed distribution; `sha256` is of the file it came from, if pip knew it."""

    name: str
    version: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What was received: pip's status, what it chose, and the files, named by their hash."""

    status: int
    packages: tuple[Package, ...]
    digest: str
    bytes: int
    files: int


class Hatch:
    """The listening side. `tick` is called at least five times a second while anything is waited
    for, and ends the wait by raising; `ended` says that nobody is left who could knock."""

    def __init__(
        self,
        path: Path,
        *,
        uid: int,
        most: int,
        tick: Callable[[], None],
        ended: Callable[[], bool],
    ) -> None:
        self._door = open_door(path, waiting=4)
        self._uid = uid
        self._most = most
        self._tick = tick
        self._ended = ended

    def close(self) -> None:
        """Receive nothing more."""
        self._door.close()

    def receive(self, folder: Path) -> Parcel:
        """Fill the empty `folder`.

        `NotBegunError`, `BadParcelError`, `TooLargeError`; `OSError` of our own disk.
        """
        with self._accepted() as peer:
            reader = _Reader(peer, self._tick)
            _greeted(reader)
            status, packages = _report(reader)
            marks: list[str] = []
            total = 0
            while (entry := _entry(reader)) is not None:
                total += entry.size
                if total > self._most or len(marks) >= MAX_FILES:
                    raise TooLargeError
                marks.append(_stored(reader, entry, folder))
            steady = sorted(mark for mark in marks if mark)
            digest = hashlib.sha256("\n".join(steady).encode()).hexdigest()
            return Parcel(status, packages, digest, total, len(marks))

    def _accepted(self) -> socket.socket:
        ends = time.monotonic() + START_SECONDS
        while True:
            last = self._ended() or time.monotonic() > ends
            try:
                peer, _ = self._door.accept()
            except TimeoutError:
                self._tick()
                if last:
                    raise NotBegunError from None
                continue
            if peer_uid(peer) == self._uid:
                peer.settimeout(POLL_SECONDS)
                return peer
            peer.close()


def _greeted(reader: "_Reader") -> None:
    try:
        kind, _, _ = HEADER.unpack(reader.exactly(HEADER.size))
    except BadParcelError as error:
        raise NotBegunError from error
    if kind != HELLO:
        raise NotBegunError


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    path: PurePosixPath
    size: int


class _Reader:
    def __init__(self, peer: socket.socket, tick: Callable[[], None]) -> None:
        self._peer = peer
        self._tick = tick

    def some(self, most: int) -> bytes:
        """At least one byte, at most `most`."""
        while True:
            try:
                data = self._peer.recv(min(most, _CHUNK))
            except TimeoutError:
                self._tick()
                continue
            except OSError as error:
                raise BadParcelError(str(error)) from error
            if not data:
                raise BadParcelError("it ended early")
            self._tick()
            return data

    def exactly(self, count: int) -> bytes:
        """So many bytes; the callers bound the count."""
        data = bytearray()
        while len(data) < count:
            data += self.some(count - len(data))
        return bytes(data)


def _report(reader: _Reader) -> tuple[int, tuple[Package, ...]]:
    kind, _, size = HEADER.unpack(reader.exactly(HEADER.size))
    if kind != REPORT or size > MAX_REPORT:
        raise BadParcelError("no report")
    try:
        found = json.loads(reader.exactly(size))
        status, listed = found["status"], found["packages"]
        if not isinstance(status, int) or len(listed) > MAX_PACKAGES:
            raise BadParcelError("a bad report")
        return status, tuple(_package(item) for item in listed)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadParcelError("a bad report") from error


def _package(item: Any) -> Package:  # Any: parsed here
    name, version, digest = item["name"], item["version"], item["sha256"]
    if not all(_TEXT.fullmatch(text) for text in (name, version)):
        raise BadParcelError("a bad name")
    if digest is not None and not re.fullmatch("[0-9a-f]{64}", digest):
        raise BadParcelError("a bad hash")
    return Package(name, version, digest)


def _entry(reader: _Reader) -> _Entry | None:
    kind, length, size = HEADER.unpack(reader.exactly(HEADER.size))
    if kind == END:
        return None
    if kind not in (PLAIN, EXECUTABLE) or not 0 < length <= MAX_PATH:
        raise BadParcelError("a bad entry")
    try:
        text = reader.exactly(length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadParcelError("a bad path") from error
    parts = text.split("/")
    if "\0" in text or len(parts) > MAX_DEPTH or any(p in ("", ".", "..") for p in parts):
        raise BadParcelError("a bad path")
    return _Entry(kind, PurePosixPath(text), size)


def _stored(reader: _Reader, entry: _Entry, folder: Path) -> str:
    """Write one file; its line in the hash of the whole, empty if it has none."""
    path = folder / entry.path
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        mode = 0o755 if entry.kind == EXECUTABLE else 0o644
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadParcelError("a path twice") from error
    content = hashlib.sha256()
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        left = entry.size
        while left:
            data = reader.some(left)
            left -= len(data)
            content.update(data)
            file.write(data)
    if entry.path.name in _UNSTEADY and entry.path.parent.name.endswith(".dist-info"):
        return ""
    return f"{entry.kind} {entry.path} {content.hexdigest()}"
