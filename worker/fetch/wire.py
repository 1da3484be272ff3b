"""One https request to an address that was resolved before, and its answer as a stream.

No proxy, no cookie, no redirect, no resolver: what the question does not say does not happen.
"""

import encodings.idna  # noqa: F401  # ssl asks for it later, when the rights to read it are gone
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BROKEN = (OSError, http.client.HTTPException)
"""What a line raises that breaks, or a host whose answer is no answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one request goes: `target` is path and query."""

    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, int]:
        """Who answers there."""
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the numeric address `pinned`; a step of it may take `seconds`.

    With a `body` it is a POST, else a GET.
    """

    place: Place
    pinned: str
    headers: Mapping[str, str]
    body: bytes | None
    seconds: float


class Answer(Protocol):
    """What a host says: a status, named headers, a body in pieces."""

    @property
    def status(self) -> int:
        """The status of http."""

    def header(self, name: str) -> str:
        """The value of a header, empty where it is absent."""

    def piece(self, most: int) -> bytes:
        """The next bytes, at most so many; empty at the end. Waits for one arrival only."""

    def close(self) -> None:
        """End the connection."""


Wire = Callable[[Question], Answer]


@dataclass(frozen=True, slots=True)
class Https:
    """The real wire: connects to the pinned address, and checks the certificate of the name."""

    context: ssl.SSLContext

    def __call__(self, question: Question) -> Answer:
        """The answer to one request, its connection still open; raises what is in `BROKEN`."""
        connection = _Pinned(question, self.context)
        try:
            method = "GET" if question.body is None else "POST"
            connection.request(
                method, question.place.target, body=question.body, headers=dict(question.headers)
            )
            return _Answered(connection, connection.getresponse())
        except BaseException:
            connection.close()
            raise


class _Pinned(http.client.HTTPSConnection):
    """A connection that asks no resolver and no proxy."""

    def __init__(self, question: Question, context: ssl.SSLContext) -> None:
        super().__init__(question.place.host, question.place.port, timeout=question.seconds)
        self.question = question
        self.verified = context

    def connect(self) -> None:
        """Connect to the pinned address as the host that was named."""
        address = ipaddress.ip_address(self.question.pinned)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(self.question.seconds)
            plain.connect((str(address), self.question.place.port))
            self.sock = self.verified.wrap_socket(plain, server_hostname=self.question.place.host)
        except BaseException:
            plain.close()
            raise


@dataclass(frozen=True, slots=True)
class _Answered:
    connection: http.client.HTTPSConnection
    response: http.client.HTTPResponse

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str:
        return self.response.getheader(name) or ""

    def piece(self, most: int) -> bytes:
        return self.response.read1(most)

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """What certificates are checked against: those in `ca_file`, else the system's."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
