"""One file from one address, taken up where it broke off, bounded in size and time."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NoReturn
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from harness import __version__
from harness.errors import RostrumError, UsageError

CHUNK = 1 << 16

Progress = Callable[[int, int | None], None]
"""Hears how many bytes there are, and of how many where that is known."""

_MAY_PASS = (408, 429)
"""Refusals that another try may not meet, like all from 500 on."""

_NOTHING_BEYOND = 416


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a download may take, in seconds, and how often it is taken up again.

    `stall_seconds` bounds each wait, and the time for each further `stall_bytes`.
    """

    stall_seconds: float = 30.0
    stall_bytes: int = 64 * 1024
    total_seconds: float = 6 * 3600.0
    tries: int = 5
    pause_seconds: float = 1.0


def download(
    url: str,
    part: Path,
    *,
    max_bytes: int,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> bool:
    """Bring the file at `url` to `part`, and go on from bytes that are there; whether it did.

    A server that knows no ranges sends all of it again. What came in stays when it fails.
    `UsageError`: no http or https address. `RostrumError`: no network, a refusal of the server,
    more than `max_bytes`, too slow, a full disk.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url[:80]!r} is no http or https address")
    limits = limits or Limits()
    task = _Task(
        url=url,
        part=part,
        max_bytes=max_bytes,
        limits=limits,
        end=time.monotonic() + limits.total_seconds,
        progress=progress,
    )
    resumed = False
    for attempt in range(1, limits.tries + 1):
        resumed = resumed or _size(part) > 0
        try:
            _try(task)
            break
        except _BrokenError as error:
            if attempt == limits.tries or time.monotonic() > task.end:
                _fail(task, str(error))
            time.sleep(limits.pause_seconds * attempt)
    return resumed


@dataclass(frozen=True, slots=True)
class _Task:
    """What `download` was asked; `end` is on the monotonic clock."""

    url: str
    part: Path
    max_bytes: int
    limits: Limits
    end: float
    progress: Progress | None


class _BrokenError(Exception):
    """The connection failed in a way that another try may mend."""


def _try(task: _Task) -> None:
    """One connection, to the end of the file; `_BrokenError` if it breaks before."""
    there = _size(task.part)
    answer = _answer(task, there)
    if answer is None:
        return
    with closing(answer):
        if not _continues(answer, there):
            there = 0
        total = None if answer.length is None else there + answer.length
        _expect_room(task, total or 0)
        try:
            there = _store(task, answer, there=there, total=total)
        except OSError as error:
            raise RostrumError(
                f"cannot write {task.part}: {error.strerror}", code="fetch_failed"
            ) from error
    if total is not None and there < total:
        raise _BrokenError(f"the connection broke off after {there:,} of {total:,} bytes")


def _store(task: _Task, answer: HTTPResponse, *, there: int, total: int | None) -> int:
    """Add what comes in to the part; how many bytes there are then."""
    with task.part.open("ab" if there else "wb") as file:
        for block in _blocks(answer, task):
            there += len(block)
            _expect_room(task, there)
            file.write(block)
            if task.progress:
                task.progress(there, total)
    return there


def _answer(task: _Task, there: int) -> HTTPResponse | None:
    """The server's answer; None if it has nothing beyond the bytes that are there."""
    asked = request.Request(task.url, headers=_headers(there))  # noqa: S310  (http(s) only)
    try:
        answer: HTTPResponse = _opener().open(asked, timeout=task.limits.stall_seconds)
    except HTTPError as error:
        error.close()
        if error.code == _NOTHING_BEYOND and there:
            return None
        if error.code >= 500 or error.code in _MAY_PASS:
            raise _BrokenError(f"the server answers {error.code} {error.reason}") from error
        _fail(task, f"the server answers {error.code} {error.reason}")
    except URLError as error:
        _fail(task, _reason(error.reason))
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from error
    return answer


def _headers(there: int) -> dict[str, str]:
    headers = {"User-Agent": f"rostrum/{__version__}", "Accept-Encoding": "identity"}
    return {**headers, "Range": f"bytes={there}-"} if there else headers


def _opener() -> request.OpenerDirector:
    """HTTP, HTTPS and the proxies of the environment; no files, no FTP, after a redirect either."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _continues(answer: HTTPResponse, there: int) -> bool:
    """Whether the body goes on from the bytes that are there; else it is the file anew."""
    if answer.status != 206:
        return False
    span = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""), re.ASCII)
    if not span or int(span[1][:18]) != there:
        raise _BrokenError("the server sends another range than it was asked for")
    return True


def _blocks(answer: HTTPResponse, task: _Task) -> Iterator[bytes]:
    """The body; `_BrokenError` when it breaks, stalls, or the time is up."""
    came, since = 0, time.monotonic()
    while True:
        try:
            block = answer.read1(CHUNK)
        except (OSError, HTTPException) as error:
            raise _BrokenError(_reason(error)) from error
        if not block:
            return
        yield block
        came += len(block)
        now = time.monotonic()
        if now > task.end:
            raise _BrokenError(f"it takes longer than {task.limits.total_seconds:.0f} s")
        if came >= task.limits.stall_bytes:
            came, since = 0, now
        elif now - since > task.limits.stall_seconds:
            raise _BrokenError(f"only {came:,} bytes came in {now - since:.0f} s")


def _expect_room(task: _Task, size: int) -> None:
    if size > task.max_bytes:
        task.part.unlink(missing_ok=True)
        _fail(task, f"it is larger than the {task.max_bytes:,} bytes that are allowed")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__


def _fail(task: _Task, reason: str) -> NoReturn:
    there = _size(task.part)
    kept = f"; {there:,} bytes are kept, the same command goes on from them" if there else ""
    said = "".join(c if c.isprintable() else "?" for c in f"{task.url}: {reason[:200]}")
    raise RostrumError(f"cannot fetch {said}{kept}", code="fetch_failed")  # a server wrote into it
