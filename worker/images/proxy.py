"""The only way out of a build sandbox: a proxy on a Unix socket that knows a few hosts.

It serves CONNECT and plain GET to the hosts it was given, on their ports, and nothing else. The
number of connections, the bytes of all of them and the wait for each are bounded; names are looked
up outside, so a build never sees a resolver.
"""

import contextlib
import logging
import selectors
import socket
from base64 import b64encode
from collections.abc import Collection
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Thread
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from worker.images.door import POLL_SECONDS, open_door, peer_uid
from worker.images.index import Host

MAX_CONNECTIONS = 32
MAX_HEAD = 16 << 10
CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 120.0
_CHUNK = 1 << 16
_DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_GONE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
_log = logging.getLogger(__name__)


class Proxy:
    """A context manager that serves peers of the user id `uid` at `path`.

    `refused` are hosts that were asked for and may not be; `unreachable` those that may be and did
    not answer us, which nothing inside can bring about; `over` says that `most` bytes were passed.
    """

    def __init__(
        self,
        path: Path,
        *,
        hosts: Collection[Host],
        uid: int,
        most: int,
        upstream: str | None = None,
    ) -> None:
        self.refused: set[str] = set()
        self.unreachable: set[str] = set()
        self.over = False
        self._hosts = frozenset(hosts)
        self._uid = uid
        self._left = most
        self._upstream = upstream
        self._stop = Event()
        self._lock = Lock()
        self._room = BoundedSemaphore(MAX_CONNECTIONS)
        self._door = open_door(path, waiting=MAX_CONNECTIONS)
        self._threads = [Thread(target=self._accept, name="rostrum-proxy", daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in list(self._threads):
            thread.join(2 * CONNECT_SECONDS)
        self._door.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if not self._room.acquire(timeout=POLL_SECONDS):
                continue
            try:
                peer, _ = self._door.accept()
            except OSError:
                self._room.release()
                continue
            self._threads = [one for one in self._threads if one.is_alive()]
            thread = Thread(target=self._serve, args=(peer,), name="rostrum-proxy", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, contextlib.suppress(OSError, ValueError):
                if peer_uid(peer) == self._uid:
                    self._answer(peer)
        finally:
            self._room.release()

    def _answer(self, peer: socket.socket) -> None:
        peer.settimeout(CONNECT_SECONDS)
        head, rest = _head(peer)
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        tunnel = method == "CONNECT"
        host = _tunnel_host(target) if tunnel else _plain_host(target)
        if host not in self._hosts or method not in ("CONNECT", "GET", "HEAD"):
            self._deny(peer, host)
            return
        try:
            far = self._reached(host, tunnel=tunnel)
        except OSError as error:
            _log.warning("index not reached: host=%s:%d reason=%s", *host, error)
            self.unreachable.add(host[0])
            peer.sendall(_GONE)
            return
        with far:
            if tunnel:
                peer.sendall(_OPEN)
                far.sendall(rest)
            else:
                far.sendall(_one_request(head, method, target, host, whole=bool(self._upstream)))
            self._pass(peer, far, both_ways=tunnel)

    def _deny(self, peer: socket.socket, host: Host) -> None:
        _log.warning("a build asked for %s:%d", *host)
        if len(self.refused) < MAX_CONNECTIONS:
            self.refused.add(f"{host[0]}:{host[1]}"[:200])
        peer.sendall(_DENIED)

    def _reached(self, host: Host, *, tunnel: bool) -> socket.socket:
        """A connection to the host, by way of this machine's own proxy where it has one."""
        if not self._upstream:
            return socket.create_connection(host, timeout=CONNECT_SECONDS)
        parts = urlsplit(self._upstream if "://" in self._upstream else f"//{self._upstream}")
        far = socket.create_connection(
            (parts.hostname or "", parts.port or 3128), timeout=CONNECT_SECONDS
        )
        if tunnel:
            name, lines = f"{host[0]}:{host[1]}", ""
            if parts.username:
                pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                lines = f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}\r\n"
            far.sendall(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{lines}\r\n".encode())
            answer, _ = _head(far)
            if answer.split(b" ", 2)[1] != b"200":
                far.close()
                raise OSError(f"the network's proxy said {answer[:60]!r}")
        return far

    def _pass(self, peer: socket.socket, far: socket.socket, *, both_ways: bool) -> None:
        """Copy bytes until an end, a long silence, the bound on bytes or the end of the build."""
        silent = 0.0
        with selectors.DefaultSelector() as waiting:
            waiting.register(far, selectors.EVENT_READ, peer)
            waiting.register(peer, selectors.EVENT_READ, far if both_ways else None)
            while not self._stop.is_set() and silent < SILENCE_SECONDS:
                ready = waiting.select(POLL_SECONDS)
                silent = 0.0 if ready else silent + POLL_SECONDS
                for key, _ in ready:
                    source: socket.socket = key.fileobj  # type: ignore[assignment]  # registered above
                    data = source.recv(_CHUNK)
                    if not data or not self._spend(len(data)):
                        return
                    if key.data is not None:
                        key.data.sendall(data)

    def _spend(self, count: int) -> bool:
        with self._lock:
            self._left -= count
            self.over = self.over or self._left < 0
            return not self.over


def _head(peer: socket.socket) -> tuple[bytes, bytes]:
    """The lines of a request or an answer, and what came after them."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(_CHUNK)
        if not more or len(data) > MAX_HEAD:
            raise ValueError("no request")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _tunnel_host(target: str) -> Host:
    name, _, port = target.rpartition(":")
    return name.strip("[]").lower(), int(port)


def _plain_host(target: str) -> Host:
    parts = urlsplit(target)
    if parts.scheme != "http":
        return (parts.hostname or target).lower(), 0
    return (parts.hostname or "").lower(), parts.port or 80


_HOP = frozenset(
    b"connection proxy-connection keep-alive content-length host transfer-encoding upgrade "
    b"proxy-authorization".split()
)
"""Headers that are between two neighbours, or speak of a body that is not sent on."""


def _one_request(head: bytes, method: str, target: str, host: Host, *, whole: bool) -> bytes:
    """The request as an origin takes it, for one answer: its body and what follows are dropped.

    `whole` keeps a full address, as a further proxy needs it; its host is the one that was checked.
    """
    parts, name = urlsplit(target), f"{host[0]}:{host[1]}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = f"http://{name}{path}" if whole else path
    kept = [
        line
        for line in head.split(b"\r\n")[1:]
        if line.partition(b":")[0].strip().lower() not in _HOP
    ]
    first = f"{method} {place} HTTP/1.1\r\nHost: {name}".encode()
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])
