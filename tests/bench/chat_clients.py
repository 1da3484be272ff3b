"""Raters' browsers for the benchmark of live chats: as many as asked for, in one process.

Each has two connections as the page has them: one sends, one waits for news. `talked` and `loaded`
are called in a process of their own, so that the clients' work is nobody else's.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

SECONDS = 60.0
"""How long any one answer may take."""


@dataclass(frozen=True)
class Timed:
    """One turn as its rater saw it: when (seconds since 1970), what came, how long POST took."""

    conversation: int
    number: int
    sent: float
    received: float
    posting: float
    reply: str


@dataclass
class Page:
    """One rater's page: what it knows, kept up to date by a thread that follows the events."""

    port: int
    token: str
    path: str = ""
    tab: str = ""
    version: int = -1
    have: int = -1
    state: str = ""
    ended: bool = False
    arrived: dict[int, tuple[float, str]] = field(default_factory=dict)
    news: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Begin a conversation and follow it."""
        sender = connection(self.port)
        sender.request("POST", f"/rate/{self.token}/start", headers={"Accept": "text/html"})
        answer = sender.getresponse()
        answer.read()
        assert answer.status == 303, f"no conversation: {answer.status}"
        place = urlsplit(answer.headers["Location"])
        self.path, self.tab = place.path, parse_qs(place.query)["tab"][0]
        self.sender = sender
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self) -> None:
        """Wait for news, again and again, as the page's script does."""
        poller = connection(self.port)
        while not self.ended:
            query = urlencode({"after": self.version, "have": self.have, "tab": self.tab})
            self.apply(asked(poller, "GET", f"{self.path}/events?{query}"))

    def apply(self, document: dict[str, Any]) -> None:  # Any: the page's JSON
        """Take in what came."""
        moment = time.time()
        with self.news:
            for turn in document["turns"]:
                self.arrived.setdefault(turn["number"], (moment, turn["text"]))
                self.have = max(self.have, turn["number"])
            if document["version"] > self.version:
                self.version, self.state = document["version"], document["state"]
            self.news.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds of the page."""
        with self.news:
            assert self.news.wait_for(condition, SECONDS), f"nothing came: {self.state}"

    def turn(self, words: str) -> Timed:
        """Say something and wait for the reply."""
        number = self.have + 1
        body = urlencode(
            {"tab": self.tab, "text": words, "client_id": f"{number:032x}", "have": self.have}
        )
        sent, begin = time.time(), time.perf_counter()
        document = asked(self.sender, "POST", f"{self.path}/turns", body=body)
        posting = time.perf_counter() - begin
        self.apply(document)
        self.until(lambda: number + 1 in self.arrived or self.state != "open")
        assert self.state == "open", f"the chat is {self.state}"
        received, reply = self.arrived[number + 1]
        chat = int(self.path.rpartition("/")[2])
        return Timed(chat, number, sent, received, posting, reply)


def talked(port: int, tokens: list[str], *, turns: int, think: float) -> list[Timed]:
    """All raters talk at once, `turns` turns each, after `think` seconds on average each time."""
    pages = [Page(port, token) for token in tokens]
    for page in pages:
        page.start()
    for page in pages:
        page.until(lambda page=page: page.state == "open")  # type: ignore[misc]  # bound at once
    gate = threading.Barrier(len(pages))

    def talk(page: Page) -> list[Timed]:
        rng = random.Random(page.token)
        gate.wait()
        timed = []
        for number in range(turns):
            time.sleep(rng.uniform(0, 2 * think))
            timed.append(page.turn(f"what do you think of number {number} ?"))
        page.ended = True
        return timed

    with ThreadPoolExecutor(len(pages)) as pool:
        return [each for timed in pool.map(talk, pages) for each in timed]


def loaded(port: int, tokens: list[str], *, times: int, think: float) -> list[float]:
    """All raters load their desk's page, in the same rhythm; the seconds of each load."""
    gate = threading.Barrier(len(tokens))

    def load(token: str) -> list[float]:
        rng, link = random.Random(token), connection(port)
        gate.wait()
        seconds = []
        for _ in range(times):
            time.sleep(rng.uniform(0, 2 * think))
            begin = time.perf_counter()
            link.request("GET", f"/rate/{token}")
            answer = link.getresponse()
            answer.read()
            assert answer.status == 200, f"no desk: {answer.status}"
            seconds.append(time.perf_counter() - begin)
        return seconds

    with ThreadPoolExecutor(len(tokens)) as pool:
        return [each for seconds in pool.map(load, tokens) for each in seconds]


def connection(port: int) -> http.client.HTTPConnection:
    """A connection to the site, kept open between requests."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)


def asked(
    link: http.client.HTTPConnection, method: str, path: str, *, body: str | None = None
) -> dict[str, Any]:  # Any: the page's JSON
    """The JSON that answers a request."""
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    link.request(method, path, body=body, headers=headers)
    answer = link.getresponse()
    text = answer.read()
    assert answer.status == 200, f"{method} {path}: {answer.status}: {text[:300]!r}"
    found = json.loads(text)
    assert isinstance(found, dict)
    return found
