"""Fetches what a commit promises from allowed hosts, to one byte past the promise at most.

A promise is a sha256 and a size. A redirect is followed a few times, and each step must pass the
same door: https, an allowed host, an address resolved once and public. What the repository's host
is shown (a token) goes to no other.
"""

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from harness.errors import SubmissionError
from worker.fetch.address import Address
from worker.fetch.wire import BROKEN, Answer, Place, Question, Wire

CHUNK = 1 << 20
LONGEST_URL = 8192
REDIRECTS = 3
SILENCE = 30.0
"""Seconds that a host may take for one step: to accept, to greet, to send the next bytes."""

PAUSES = (1.0, 4.0)
"""Seconds before each further try, where a host was busy or the line broke."""

_URL = re.compile(r"https://[!-~]+\Z")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_MOVED = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({0, 408, 429, 500, 502, 503, 504})


class Unanswered(Exception):  # noqa: N818  # an outcome whose words the caller knows
    """The host did not hand over what was asked: `status` as of http, 0 where the line broke."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason or f"status {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Promise:
    """What the commit says of a large file: its sha256 (hex) and its bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Line:
    """The way out of one fetch, until `deadline` (monotonic seconds).

    `home` is the repository's own host, with its ports; `hosts` (`name`, `name:port` or
    `*.name`) are the others that large files may come from; `resolve` gives the one address of a
    host, or refuses it.
    """

    home: Collection[tuple[str, int]]
    hosts: Collection[str]
    deadline: float
    resolve: Callable[[Address], str]
    wire: Wire
    sleep: Callable[[float], None] = time.sleep
    _pinned: dict[tuple[str, int], str] = field(default_factory=dict)

    def place(self, url: str) -> Place:
        """Where `url` leads; `clone_refused` (`large_host`) unless https to an allowed host."""
        try:
            parts = urlsplit(url if len(url) <= LONGEST_URL and _URL.match(url) else "")
            host, port = (parts.hostname or "").lower(), parts.port or 443
        except ValueError:
            host, port = "", 0
        if not _HOST.match(host) or "@" in parts.netloc:
            raise self._refused("an address is not https, or cannot be read")
        if (host, port) not in self.home and not self._listed(host, port):
            raise self._refused(f"{host} is not on the organizer's list (ROSTRUM_LARGE_HOSTS)")
        return Place(host, port, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")

    def _listed(self, host: str, port: int) -> bool:
        over = host.split(".")
        above = {f"*.{'.'.join(over[level:])}" for level in range(1, len(over))}
        return not {host, f"{host}:{port}", *above}.isdisjoint(self.hosts)

    def left(self) -> float:
        """Seconds until the deadline; `clone_refused` (`timeout`) when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise SubmissionError("clone_refused", detail="timeout")
        return left

    @contextmanager
    def ask(
        self, place: Place, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[Answer]:
        """One request and its answer, whatever its status; `Unanswered` where the line breaks."""
        question = Question(
            place, self._pin(place), headers, body, seconds=min(SILENCE, self.left())
        )
        try:
            answer = self.wire(question)
        except BROKEN as error:
            raise Unanswered(0, str(error)) from error
        try:
            yield answer
        finally:
            answer.close()

    def pieces(self, answer: Answer, *, most: int) -> Iterator[bytes]:
        """The body in pieces, at most `most` bytes and the piece that passes them."""
        total = 0
        while total <= most:
            self.left()
            try:
                piece = answer.piece(min(CHUNK, most + 1 - total))
            except BROKEN as error:
                raise Unanswered(0, str(error)) from error
            if not piece:
                return
            total += len(piece)
            yield piece

    def retried(self, action: Callable[[], None]) -> None:
        """Do `action`, again after a pause where the host was busy or the line broke."""
        for pause in PAUSES:
            try:
                return action()
            except Unanswered as unanswered:
                if unanswered.status not in _BUSY or self.left() < pause:
                    raise
            self.sleep(pause)
        return action()

    def _pin(self, place: Place) -> str:
        """The address of the place's host: the first answer of its name holds for all requests."""
        if place.origin not in self._pinned:
            asked = Address("https", f"https://{place.host}", place.host, place.port)
            self._pinned[place.origin] = self.resolve(asked)
        return self._pinned[place.origin]

    @staticmethod
    def _refused(message: str) -> SubmissionError:
        return SubmissionError("clone_refused", detail="large_host", message=message)


def download(
    line: Line, url: str, promise: Promise, target: Path, *, headers: Mapping[str, str]
) -> None:
    """Write the file at `url` to `target`, which holds it whole afterwards or is gone.

    `headers` are for the host of `url` alone: a redirect to another takes none of them. Raises
    `Unanswered`, `clone_refused` (`large_host`, `large_content`, `address`, `timeout`).
    """
    try:
        line.retried(lambda: _followed(line, url, promise, target, headers=headers))
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _followed(
    line: Line, url: str, promise: Promise, target: Path, *, headers: Mapping[str, str]
) -> None:
    first = line.place(url)
    for _ in range(REDIRECTS + 1):
        place = line.place(url)
        shown = headers if place.origin == first.origin else {}
        with line.ask(place, headers={"Accept-Encoding": "identity", **shown}) as answer:
            if answer.status == 200:
                return _kept(line, answer, promise, target)
            if answer.status not in _MOVED:
                raise Unanswered(answer.status)
            url = _moved(url, answer.header("Location"))
    raise Unanswered(310, "too many redirects")


def _moved(url: str, location: str) -> str:
    """Where a redirect leads; empty, which no door lets pass, where it cannot be read."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _kept(line: Line, answer: Answer, promise: Promise, target: Path) -> None:
    """Write the body as it comes, while it is what was promised."""
    announced = answer.header("Content-Length")
    if announced.isdecimal() and announced != str(promise.bytes):
        raise _other(f"{announced[:20]} bytes are announced, not {promise.bytes}")
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as writer:
        for piece in line.pieces(answer, most=promise.bytes):
            size += len(piece)
            if size > promise.bytes:
                raise _other(f"more than {promise.bytes} bytes came")
            digest.update(piece)
            writer.write(piece)
    if size < promise.bytes and announced.isdecimal():
        raise Unanswered(0, "the line broke before the end")
    if size < promise.bytes or digest.hexdigest() != promise.sha256:
        raise _other("the content is not what the commit says")


def _other(message: str) -> SubmissionError:
    return SubmissionError("clone_refused", detail="large_content", message=message)
