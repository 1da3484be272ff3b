"""A wire without a network: hosts by name, what they answer, and what they were asked."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from worker.fetch.address import Address, refused
from worker.fetch.download import Line, Promise
from worker.fetch.wire import Answer, Question

CONTENT = b"weights " * 1000
PROMISE = Promise(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@dataclass
class Said:
    """One answer; `pieces` are what arrives, an exception among them is raised."""

    status: int = 200
    pieces: list[bytes | Exception] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def piece(self, most: int) -> bytes:
        if not self.pieces:
            return b""
        first = self.pieces.pop(0)
        if isinstance(first, Exception):
            raise first
        if len(first) > most:
            self.pieces.insert(0, first[most:])
        return first[:most]

    def close(self) -> None:
        self.closed = True


def whole(content: bytes = CONTENT) -> Said:
    """A file as it should come."""
    return Said(
        pieces=[content[:100], content[100:]], headers={"Content-Length": str(len(content))}
    )


def moved(url: str) -> Said:
    """A redirect."""
    return Said(302, headers={"Location": url})


@dataclass
class FakeWire:
    """Answers by host, in order; the last answer of a host is given again and again."""

    answers: dict[str, list[Said | Callable[[Question], Said]]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    given: list[Said] = field(default_factory=list)

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        waiting = self.answers[question.place.host]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        said = answer if isinstance(answer, Said) else answer(question)
        self.given.append(said)
        return said


@dataclass
class World:
    """A line over a fake wire; how long it slept, and which names were looked up."""

    wire: FakeWire = field(default_factory=FakeWire)
    slept: list[float] = field(default_factory=list)
    looked_up: list[tuple[str, int]] = field(default_factory=list)
    private: set[str] = field(default_factory=set)

    def line(self, *hosts: str, seconds: float = 60) -> Line:
        """A line of a repository on git.example; `hosts` are on the organizer's list."""
        return Line(
            home=frozenset({("git.example", 443)}),
            hosts=frozenset(hosts),
            deadline=time.monotonic() + seconds,
            resolve=self.resolve,
            wire=self.wire,
            sleep=self.slept.append,
        )

    def resolve(self, asked: Address) -> str:
        if asked.host in self.private:
            raise refused("the host of the address is not a public one")
        self.looked_up.append((asked.host, asked.port))
        return f"198.51.100.{len(self.looked_up)}"
