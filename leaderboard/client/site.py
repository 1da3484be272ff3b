"""The site as a client sees it: three requests, bounded in time and size.

A body that is too large, not JSON or not ours is an error of the site, never a traceback.
"""

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from harness import __version__
from harness.errors import RostrumError, UsageError
from leaderboard.shown import one_line

MAX_BODY = 4 << 20
"""Bytes of an answer that are read."""

SECONDS = 20.0
"""How long one request may wait for the next byte."""

TOTAL_SECONDS = 60.0
"""How long one answer may take in all, however slowly it drips."""

ASKED_WRONGLY = frozenset({400, 401, 403, 404, 405, 413, 415, 422})
"""Answers that mean exit code 2; every other failure means 1."""

Document = dict[str, Any]  # Any: a JSON object


class SiteError(RostrumError):
    """The site could not be reached, answered nonsense, or said no for now (exit code 1)."""

    def __init__(self, message: str, *, code: str = "site", hint: str = ""):
        super().__init__(message, code=code, hint=hint)


class UnreachableError(SiteError):
    """No answer came; asking again later may help."""


class Site:
    """One Rostrum site; a context manager that closes its connections.

    `url` is the site's front page. `token` is a team's and is sent to that site alone: redirects
    are not followed. `transport` is for tests.
    """

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = checked(url)
        headers = {"User-Agent": f"rostrum/{__version__}", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=self.url, headers=headers, timeout=SECONDS, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def submit(self, ref: str) -> Document:
        """Submit a commit or branch; the new submission. Errors of the site are raised."""
        return self._ask("POST", "/api/v1/submissions", body={"ref": ref})

    def submission(self, number: int) -> Document:
        """The submission as its page shows it."""
        return self._ask("GET", f"/api/v1/submissions/{number}")

    def log(self, number: int) -> Document:
        """The preflight log of one's own submission; needs the team's token."""
        return self._ask("GET", f"/api/v1/submissions/{number}/log")

    def _ask(self, method: str, path: str, *, body: Mapping[str, str] | None = None) -> Document:
        try:
            with self._client.stream(method, path, json=body) as answer:
                document = _document(_bounded(answer))
                status = answer.status_code
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"{self.url} did not answer: {one_line(str(error)) or type(error).__name__}",
                code="unreachable",
                hint="Check --site and that `rostrum serve` runs there.",
            ) from error
        if 200 <= status < 300 and document is not None:
            return document
        raise _refusal(self.url, status, document)


def checked(url: str) -> str:
    """The site's address without a trailing slash; `UsageError` if it is not http(s)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"--site {one_line(url)} is not an address; give one like https://rostrum.example"
        )
    if parts.username or parts.password:
        raise UsageError("--site must not hold a password; put the token in ROSTRUM_TOKEN")
    return url.rstrip("/")


def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    deadline = time.monotonic() + TOTAL_SECONDS
    for piece in answer.iter_bytes(64 << 10):
        body += piece
        if len(body) > MAX_BODY:
            raise SiteError(f"the site answered with more than {MAX_BODY >> 20} MiB")
        if time.monotonic() > deadline:
            raise SiteError(f"the site took more than {TOTAL_SECONDS:.0f} s to answer")
    return bytes(body)


def _document(body: bytes) -> Document | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _refusal(url: str, status: int, document: Document | None) -> RostrumError:
    """The error that the site's error body describes, in the house's exit codes."""
    error = (document or {}).get("error")
    if not isinstance(error, dict):
        return SiteError(
            f"{url} answered {status} and not as a Rostrum site does",
            hint="Check --site: it is the address of the board's page.",
        )
    message = one_line(str(error.get("message", f"the site answered {status}")), limit=500)
    code = one_line(str(error.get("code", "site")))
    hint = one_line(str(error.get("hint") or ""), limit=500) if error.get("hint") else ""
    if status in ASKED_WRONGLY:
        return UsageError(message, code=code, hint=hint)
    return SiteError(message, code=code, hint=hint)
