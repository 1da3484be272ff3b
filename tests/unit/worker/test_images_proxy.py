"""The only way out of a build: what passes, what does not, and what is remembered of it."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from worker.images.index import Host
from worker.images.proxy import Proxy

BODY = b"a wheel" * 100


class Page(BaseHTTPRequestHandler):
    """One page; it remembers the requests."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers['Host']} {self.headers['Connection']}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[int]:
    Page.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def proxy(
    folder: Path, *hosts: Host, most: int = 1 << 20, uid: int | None = None
) -> Iterator[Proxy]:
    me = os.geteuid() if uid is None else uid
    with Proxy(folder / "proxy.sock", hosts=hosts, uid=me, most=most) as made:
        yield made


def said(folder: Path, request: bytes) -> bytes:
    """All that the proxy answers."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(folder / "proxy.sock"))
        peer.sendall(request)
        answer = b""
        try:
            while data := peer.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def tunnel(port: int, inner: bytes = b"") -> bytes:
    return f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + inner


INNER = b"GET /simple/ HTTP/1.0\r\nHost: x\r\n\r\n"


def test_a_tunnel_leads_to_a_host_that_is_listed(tmp_path: Path, origin: int) -> None:
    with proxy(tmp_path, ("127.0.0.1", origin)) as made:
        answer = said(tmp_path, tunnel(origin, INNER))
    assert answer.startswith(b"HTTP/1.1 200 Connection established")
    assert answer.endswith(BODY)
    assert (made.refused, made.unreachable, made.over) == (set(), set(), False)


@pytest.mark.parametrize(
    "target",
    [
        "169.254.169.254:80",
        "127.0.0.1:22",
        "example.org:443",
        "localhost:{port}",
        "127.0.0.1:{port}@evil:1",
    ],
)
def test_any_other_host_or_port_is_refused_and_remembered(
    tmp_path: Path, origin: int, target: str
) -> None:
    host = target.format(port=origin)
    with proxy(tmp_path, ("127.0.0.1", origin)) as made:
        answer = said(tmp_path, f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403")
    assert len(made.refused) == 1
    assert Page.asked == []


def test_a_plain_request_is_passed_on_once(tmp_path: Path, origin: int) -> None:
    request = (
        f"GET http://127.0.0.1:{origin}/simple/a/?x=1 HTTP/1.1\r\nHost: evil\r\n"
        "Content-Length: 50\r\nConnection: keep-alive\r\n\r\n"
    )
    second = f"GET http://127.0.0.1:{origin}/again HTTP/1.1\r\n\r\n"
    with proxy(tmp_path, ("127.0.0.1", origin)):
        assert said(tmp_path, (request + second).encode()).endswith(BODY)
    assert Page.asked == [f"/simple/a/?x=1 127.0.0.1:{origin} close"]


@pytest.mark.parametrize(
    "request_line",
    [
        "POST http://127.0.0.1:{port}/ HTTP/1.1",
        "GET http://evil@127.0.0.2:{port}/ HTTP/1.1",
        "GET ftp://127.0.0.1:{port}/ HTTP/1.1",
        "GET / HTTP/1.1",
    ],
)
def test_other_requests_are_refused(tmp_path: Path, origin: int, request_line: str) -> None:
    line = request_line.format(port=origin)
    with proxy(tmp_path, ("127.0.0.1", origin)):
        assert said(tmp_path, f"{line}\r\n\r\n".encode()).startswith(b"HTTP/1.1 403")
    assert Page.asked == []


@pytest.mark.parametrize("garbage", [b"\x00" * 10, b"\r\n\r\n", b"a b\r\n\r\n", b"A" * 40_000])
def test_garbage_ends_the_connection_and_nothing_else(
    tmp_path: Path, origin: int, garbage: bytes
) -> None:
    with proxy(tmp_path, ("127.0.0.1", origin)):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / "proxy.sock"))
            peer.sendall(garbage)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(10)
            assert peer.recv(100) == b""
        assert said(tmp_path, tunnel(origin, INNER)).endswith(BODY)


def test_a_listed_host_that_is_away_is_remembered_as_our_trouble(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with proxy(tmp_path, ("127.0.0.1", port)) as made:
        assert said(tmp_path, tunnel(port)).startswith(b"HTTP/1.1 502")
    assert made.unreachable == {"127.0.0.1"}


def test_the_bytes_of_all_connections_are_bounded(tmp_path: Path, origin: int) -> None:
    with proxy(tmp_path, ("127.0.0.1", origin), most=len(BODY)) as made:
        assert len(said(tmp_path, tunnel(origin, INNER))) <= len(BODY) + 200
        said(tmp_path, tunnel(origin, INNER))
    assert made.over


def test_other_users_are_not_served(tmp_path: Path, origin: int) -> None:
    with proxy(tmp_path, ("127.0.0.1", origin), uid=54321):
        assert said(tmp_path, tunnel(origin, INNER)) == b""
    assert Page.asked == []


def test_a_network_with_a_proxy_of_its_own_is_left_through_that(
    tmp_path: Path, origin: int
) -> None:
    """The next proxy is one of ours, so it must see the same CONNECT."""
    outer = tmp_path / "outer"
    outer.mkdir()
    with (
        proxy(outer, ("127.0.0.1", origin)) as far,
        relay(outer / "proxy.sock") as port,
        Proxy(
            tmp_path / "proxy.sock",
            hosts=[("127.0.0.1", origin)],
            uid=os.geteuid(),
            most=1 << 20,
            upstream=f"http://127.0.0.1:{port}",
        ) as near,
    ):
        assert said(tmp_path, tunnel(origin, INNER)).endswith(BODY)
        plain = f"GET http://127.0.0.1:{origin}/p HTTP/1.1\r\n\r\n".encode()
        assert said(tmp_path, plain).endswith(BODY)
    assert not near.unreachable | far.refused
    assert [line.split()[0] for line in Page.asked] == ["/simple/", "/p"]


@contextmanager
def relay(path: Path) -> Iterator[int]:
    """A port before a Unix socket."""
    door = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve() -> None:
        with door:
            for _ in range(2):
                near, _address = door.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(path))
                pair = [
                    threading.Thread(target=pump, args=ends) for ends in ((near, far), (far, near))
                ]
                for thread in pair:
                    thread.start()
                for thread in pair:
                    thread.join()
                near.close()
                far.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield door.getsockname()[1]
    thread.join(10)
