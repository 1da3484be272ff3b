"""`rostrum data fetch` against a real server on loopback: resumed, cut, wrong, slow, gone."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.data import cache, convai2, load, resolve
from harness.data.download import Limits
from harness.data.fetch import FETCHABLE, fetch
from harness.errors import RostrumError, UsageError

TALK = b"1 your persona: i like tea .\n2 hi\thello !\t\tbye|hello !\n"
QUICK = Limits(stall_seconds=0.4, stall_bytes=1000, total_seconds=5, tries=3, pause_seconds=0.01)


def packed(names: tuple[str, ...] = FETCHABLE["convai2"].needed) -> bytes:
    """A tar.gz of these files, with noise that makes it some 300 KB long."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, content in (("noise.bin", os.urandom(300_000)), *((n, TALK) for n in names)):
            entry = tarfile.TarInfo(f"ConvAI2/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = packed()


class Site:
    """A server of one file; `behaviour` answers each request, `asked` are the ranges it saw."""

    def __init__(self) -> None:
        self.content = ARCHIVE
        self.behaviour: Callable[[BaseHTTPRequestHandler, Site], None] = whole
        self.asked: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                site.asked.append(self.headers["Range"])
                site.behaviour(self, site)

            def log_message(self, format: str, *arguments: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/set.tgz"
        self.row = replace(
            FETCHABLE["convai2"], url=self.url, sha256=hashlib.sha256(ARCHIVE).hexdigest()
        )


def send(asked: BaseHTTPRequestHandler, body: bytes, *, status: int, **headers: str) -> None:
    asked.send_response(status)
    asked.send_header("Content-Length", headers.pop("length", str(len(body))))
    for name, value in headers.items():
        asked.send_header(name.replace("_", "-"), value)
    asked.end_headers()
    asked.wfile.write(body)


def whole(asked: BaseHTTPRequestHandler, site: Site) -> None:
    """Knows no ranges."""
    send(asked, site.content, status=200)


def ranges(asked: BaseHTTPRequestHandler, site: Site) -> None:
    start = int((asked.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    size = len(site.content)
    if start >= size:
        send(asked, b"", status=416, Content_Range=f"bytes */{size}")
    else:
        span = f"bytes {start}-{size - 1}/{size}"
        send(asked, site.content[start:], status=206, Content_Range=span)


def cut(asked: BaseHTTPRequestHandler, site: Site) -> None:
    """Breaks off after another 100,000 bytes, every time."""
    start = int((asked.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    size = len(site.content)
    span = f"bytes {start}-{size - 1}/{size}"
    body = site.content[start : start + 100_000]
    send(asked, body, status=206, length=str(size - start), Content_Range=span)


def refuses(status: int) -> Callable[[BaseHTTPRequestHandler, Site], None]:
    return lambda asked, site: send(asked, b"no", status=status)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,))
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def part() -> Path:
    return cache.folder("convai2").with_name("convai2.part")


def refusal(site: Site, **options: object) -> RostrumError:
    with pytest.raises(RostrumError) as caught:
        fetch(site.row, limits=QUICK, **options)  # type: ignore[arg-type]  # options of fetch
    assert not cache.folder("convai2").exists()
    return caught.value


@pytest.mark.parametrize("behaviour", [whole, ranges])
def test_a_set_is_fetched_once_and_known_by_name(
    site: Site, behaviour: Callable[[BaseHTTPRequestHandler, Site], None]
) -> None:
    site.behaviour = behaviour
    seen: list[tuple[int, int | None]] = []

    first = fetch(site.row, limits=QUICK, progress=lambda *count: seen.append(count))
    second = fetch(site.row, limits=QUICK)

    assert (first.new, second.new, len(site.asked)) == (True, False, 1)
    assert first.files == second.files == dict.fromkeys(site.row.needed, len(TALK))
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert resolve("convai2") == cache.folder("convai2")
    assert load("convai2:valid_self_original")[0].persona == ("i like tea .",)
    assert convai2.load(split="train")[0].examples[0].replies == ("hello !",)
    with pytest.raises(UsageError, match="there are: train_self_original, valid_self_original"):
        load("convai2:test_self_original")
    left = {path.name for path in cache.directory().iterdir()}
    assert left == {"convai2", "convai2.lock"}


def test_force_and_a_damaged_set_are_fetched_again(site: Site) -> None:
    folder = fetch(site.row, limits=QUICK).folder
    assert fetch(site.row, limits=QUICK, force=True).new
    (folder / "train_self_original.txt").write_bytes(b"1 a\tb\n")
    assert fetch(site.row, limits=QUICK).new
    (folder / "fetched.json").write_text("[]", encoding="utf-8")
    assert fetch(site.row, limits=QUICK).new
    assert (folder / "train_self_original.txt").read_bytes() == TALK


def test_a_connection_that_breaks_off_is_taken_up_until_the_file_is_whole(site: Site) -> None:
    site.behaviour = cut
    tries = -(-len(ARCHIVE) // 100_000)

    fetch(site.row, limits=replace(QUICK, tries=tries))

    assert site.asked == [None, *(f"bytes={n}00000-" for n in range(1, tries))]


def test_what_came_is_kept_for_the_same_command(site: Site) -> None:
    site.behaviour = cut
    error = refusal(site)
    assert "broke off after 300,000 of" in error.message
    assert "300,000 bytes are kept, the same command goes on from them" in error.message
    assert error.exit_code == 1
    site.behaviour = ranges

    assert fetch(site.row, limits=QUICK).new
    assert site.asked[-1] == "bytes=300000-"


def test_a_server_without_ranges_begins_again(site: Site) -> None:
    part().parent.mkdir(parents=True)
    part().write_bytes(b"some former bytes")

    assert fetch(site.row, limits=QUICK).new
    assert site.asked == ["bytes=17-"]


@pytest.mark.parametrize("former", [b"other bytes", ARCHIVE + b"more", bytes(len(ARCHIVE))])
def test_a_part_of_another_file_shows_in_the_checksum_and_is_begun_anew(
    site: Site, former: bytes
) -> None:
    site.behaviour = ranges
    part().parent.mkdir(parents=True)
    part().write_bytes(former)

    assert fetch(site.row, limits=QUICK).new
    assert site.asked == [f"bytes={len(former)}-", None]


def test_a_part_that_is_whole_already_is_used(site: Site) -> None:
    site.behaviour = ranges
    part().parent.mkdir(parents=True)
    part().write_bytes(ARCHIVE)

    assert fetch(site.row, limits=QUICK).new


def test_wrong_bytes_are_refused_and_not_kept(site: Site) -> None:
    site.content = b"<html>log in first</html>"
    error = refusal(site)
    assert "is not the expected file: its sha256 is " in error.message
    assert "rostrum data fetch convai2 --archive FILE" in error.hint
    assert not part().exists()
    assert len(site.asked) == 1


def trickle(asked: BaseHTTPRequestHandler, site: Site) -> None:
    """A byte now and then; each wait is short, the whole never ends."""
    asked.send_response(200)
    asked.send_header("Content-Length", "100000")
    asked.end_headers()
    try:
        while True:
            asked.wfile.write(b"x")
            threading.Event().wait(0.05)
    except OSError:
        pass


def silent(asked: BaseHTTPRequestHandler, site: Site) -> None:
    threading.Event().wait(1)


def other_range(asked: BaseHTTPRequestHandler, site: Site) -> None:
    send(asked, site.content, status=206, Content_Range=f"bytes 5-9/{len(site.content)}")


def to_ftp(asked: BaseHTTPRequestHandler, site: Site) -> None:
    send(asked, b"", status=302, Location="ftp://127.0.0.1/set.tgz")


def garbage(asked: BaseHTTPRequestHandler, site: Site) -> None:
    asked.wfile.write(b"hello\r\n\r\n")


@pytest.mark.parametrize(
    ("behaviour", "requests", "reason"),
    [
        (refuses(404), 1, "the server answers 404 Not Found"),
        (refuses(503), 3, "the server answers 503 Service Unavailable"),
        (refuses(429), 3, "the server answers 429 Too Many Requests"),
        (trickle, 3, "bytes came in"),
        (silent, 3, "no answer in time"),
        (other_range, 3, "another range than it was asked for"),
        (to_ftp, 1, "unknown url type: ftp"),
        (garbage, 3, "hello"),
    ],
)
def test_a_bad_server_is_one_sentence_with_the_next_step(
    site: Site,
    behaviour: Callable[[BaseHTTPRequestHandler, Site], None],
    requests: int,
    reason: str,
) -> None:
    site.behaviour = behaviour
    error = refusal(site)
    assert error.message.startswith(f"cannot fetch {site.url}: ")
    assert reason in error.message
    assert "Download http" in error.hint
    assert len(site.asked) == requests


def test_the_whole_time_is_bounded(site: Site) -> None:
    site.behaviour = trickle
    with pytest.raises(RostrumError, match=r"it takes longer than 0 s; \d+ bytes are kept"):
        fetch(site.row, limits=replace(QUICK, total_seconds=0.1))


def test_a_file_larger_than_the_bound_is_not_stored(site: Site) -> None:
    def endless(asked: BaseHTTPRequestHandler, site: Site) -> None:
        asked.send_response(200)
        asked.end_headers()
        try:
            while True:
                asked.wfile.write(bytes(10_000))
        except OSError:
            pass

    small = replace(site.row, max_archive_bytes=50_000)
    for behaviour in (whole, endless):
        site.behaviour = behaviour
        with pytest.raises(RostrumError, match="larger than the 50,000 bytes that are allowed"):
            fetch(small, limits=QUICK)
        assert not part().exists()


def test_two_at_once_do_not_mix(site: Site) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def waits(asked: BaseHTTPRequestHandler, site: Site) -> None:
        begun.set()
        go_on.wait(10)
        whole(asked, site)

    site.behaviour = waits
    first = threading.Thread(target=fetch, args=(site.row,))
    first.start()
    assert begun.wait(10)
    with pytest.raises(RostrumError, match="another process is fetching convai2"):
        fetch(site.row)
    go_on.set()
    first.join()

    assert not fetch(site.row).new


def test_a_server_that_is_not_there_is_one_sentence_of_the_command(
    site: Site, tmp_path: Path
) -> None:
    site.server.shutdown()
    site.server.server_close()
    ended = command("--url", site.url, cache=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"rostrum: cannot fetch {site.url}: Connection refused\n")
    assert "--archive FILE" in ended.stderr
    assert (ended.stdout, "Traceback" in ended.stderr) == ("", False)


def test_the_command_checks_the_real_sum_and_tells_how_far_it_is(
    site: Site, tmp_path: Path
) -> None:
    ended = command("--url", site.url, "--json", cache=tmp_path)

    assert ended.returncode == 1
    assert "fetching convai2: " in ended.stderr
    assert f"not {FETCHABLE['convai2'].sha256}" in ended.stderr


def command(*options: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """`rostrum data fetch convai2` as a person runs it, through a pipe."""
    code = "from harness.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "data", "fetch", "convai2", *options],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
