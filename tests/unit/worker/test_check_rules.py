"""Whose rules a check keeps: a file's, a site's as the site says them, or the defaults."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import UsageError
from leaderboard.api.documents import rules_document
from leaderboard.rules import parse
from worker.check import rules

TOML = """
schema = 1
[competition]
id = "c"
title = "A \\"quoted\\" competition \\u00fc"
sandbox = ["bubblewrap", "docker"]
[[phase]]
name = "only"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
[tracks.hits]
candidates = 10
[tracks.ppl]
zero = "infinite"
[limits]
load = 30
memory = 1073741824
cpus = 1.5
[preflight]
dialogues = 7
[build]
source = true
seconds = 60
[gpu]
allowed = true
"""


class Site:
    """A site that answers every request with the same bytes."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the base class calls it so
                site.asked.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def sites() -> Iterator[list[Site]]:
    made: list[Site] = []
    yield made
    for site in made:
        site.close()


def test_without_either_the_defaults_hold() -> None:
    found = rules.find(None, None)
    assert not found.known
    assert found.competition.preflight_dialogues == 20


def test_a_file_says_them(tmp_path: Path) -> None:
    file = tmp_path / "competition.toml"
    file.write_text(TOML, "utf-8")
    found = rules.find(file, None)
    assert found.known
    assert found.competition.limits["load"] == 30.0


def test_a_site_says_the_same_as_its_file(sites: list[Site]) -> None:
    competition = parse(TOML)
    sites.append(Site(json.dumps(rules_document(competition)).encode()))
    found = rules.find(None, f"{sites[0].url}/").competition
    assert sites[0].asked == ["/api/v1/competition"]
    for name in (
        "id",
        "title",
        "sandbox",
        "tracks",
        "candidates",
        "zero",
        "limits",
        "build",
        "gpu",
    ):
        assert getattr(found, name) == getattr(competition, name), name
    assert found.preflight_dialogues == 7


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"[]", 200),
        (b"{}", 200),
        (b'{"competition": 3}', 200),
        (b'{"competition": {"id": "c", "title": "t"}, "limits": {"load": "x]\\n[gpu"}}', 200),
        (b'{"competition": {"id": "c", "title": "t", "sandbox": {"a": {"b": 1}}}}', 200),
        (b'{"error": {"code": "no_competition"}}', 404),
    ],
)
def test_what_a_site_says_otherwise_is_one_sentence(
    sites: list[Site], body: bytes, status: int
) -> None:
    sites.append(Site(body, status))
    with pytest.raises(UsageError):
        rules.find(None, sites[0].url)


def test_a_site_that_is_not_there(unused_port: int) -> None:
    with pytest.raises(UsageError, match="did not answer with the rules"):
        rules.find(None, f"http://127.0.0.1:{unused_port}")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "rostrum.example.org", "ftp://x"])
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="give an address"):
        rules.find(None, url)


def test_they_are_named_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="once"):
        rules.find(tmp_path, "https://rostrum.example.org")


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"c\.toml"):
        rules.find(tmp_path / "c.toml", None)
