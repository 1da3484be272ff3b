"""Every byte that a rater is sent: nothing of the partner but its words, and never who was right.

A real server is spoken to over a socket and all its answers are kept, heads included. Strings are
planted wherever the partner could be known from. The last tests break the site on purpose, to show
that these checks can fail.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import humanworld
import pytest
from flask import Response
from humanworld import HumanWorld, partner
from served import Server

from leaderboard import hints
from leaderboard.db.models import Attempt, Submission, Team
from leaderboard.db.people import Conversation
from leaderboard.human import scene
from leaderboard.human.scene import Choice
from leaderboard.web import create_app
from leaderboard.web.app import MAX_BODY
from leaderboard.web.rater import page

JSON = "application/json"
HTML = "text/html"

IDENTITY: Mapping[str, str] = {
    "team": "zqteamzq",
    "entry": "zqentryzq",
    "commit": "c0ffee" * 6 + "c0ff",
    "image": "sha256:zqimagezq",
    "environment": "zqenvironmentzq",
    "sandbox": "zqsandboxzq",
    "repo_url": "ssh://zqrepozq/x.git",
    "worker": "zqworkerzq",
}
"""What a finalist could be known by."""

SELF = ("i am the rater .", "i like tea .")
ONE = (
    "zqpersonaone likes owls .",
    "zqpersonaone sings .",
    "zqpersonaone has a long tale to tell .",
)
TWO = ("zqpersonatwo rows .", "zqpersonatwo bakes .")
PERSONAS = ("zqpersonaone", "zqpersonatwo")


@dataclass(frozen=True)
class Exchange:
    """One request and every byte of its answer."""

    request: str
    answer: bytes

    @property
    def status(self) -> int:
        return int(self.answer.split(b" ", 2)[1])

    @property
    def text(self) -> str:
        return self.answer.decode("utf-8")


@dataclass
class Recorder:
    """Asks a server and keeps what it sends; `stored` is where the enjoyment answer was."""

    port: int
    kept: list[Exchange] = field(default_factory=list)
    stored: int = 0

    def get(self, path: str, *, accept: str = HTML) -> Exchange:
        return self._ask("GET", path, accept=accept)

    def post(self, path: str, *, accept: str = HTML, **fields: str) -> Exchange:
        return self._ask("POST", path, accept=accept, body=urlencode(fields).encode())

    def ask(self, method: str, path: str) -> Exchange:
        return self._ask(method, path, accept=HTML)

    def _ask(self, method: str, path: str, *, accept: str, body: bytes = b"") -> Exchange:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: rater.example\r\nAccept: {accept}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
            wire.sendall(head.encode() + body)
            answer = b"".join(iter(lambda: wire.recv(65536), b""))
        exchange = Exchange(f"{method} {path}", answer)
        self.kept.append(exchange)
        return exchange

    @property
    def before(self) -> bytes:
        """All that was sent before the enjoyment answer was stored."""
        return b"".join(exchange.answer for exchange in self.kept[: self.stored])

    @property
    def all(self) -> bytes:
        """All that was sent."""
        return b"".join(exchange.answer for exchange in self.kept)


@dataclass(frozen=True)
class Drawn:
    """What a conversation's row holds: who the partner is, and whose card comes first."""

    partner: tuple[str, ...] = ONE
    distractor: tuple[str, ...] = TWO
    partner_first: bool = True


@dataclass
class Stage:
    """A world behind a real server; `app` may be broken on purpose before it is used."""

    world: HumanWorld
    change: Callable[[Response], Response] | None = None

    def record(self, drawn: Drawn) -> Recorder:
        """A whole session, from the invitation to the thanks, with everything that goes wrong."""
        app = create_app(self.world.db, key=self.world.key)
        if self.change:
            app.after_request(self.change)
        server = Server(app, threads=8)
        try:
            recorder = Recorder(server.port)
            self._play(recorder, drawn)
        finally:
            server.close()
        return recorder

    def _play(self, seen: Recorder, drawn: Drawn) -> None:
        link = f"/rate/{self.world.tokens[0]}"
        self._desk(seen, link)
        started = seen.post(f"{link}/start")
        number, tab = re.findall(r"Location: \S*/chats/(\d+)\?tab=([0-9a-f]+)", started.text)[0]
        forgotten = self.world.conversation(int(number))
        self._plant(int(number), drawn)
        chat = f"{link}/chats/{number}"
        self._talk(seen, chat, tab=tab)
        self._trouble(seen, link, chat, tab=tab)
        self._judge(seen, chat, tab=tab)
        self._desk(seen, link)
        for sentence in (*forgotten.partner_persona, *forgotten.distractor):
            assert sentence.encode() not in seen.all

    def _desk(self, seen: Recorder, link: str) -> None:
        desk = seen.get(link)
        assert desk.status == 200
        for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', desk.text):
            assert seen.get(path).status == 200

    def _plant(self, number: int, drawn: Drawn) -> None:
        """Make the row what the test wants, and its finalist somebody who can be found."""
        with self.world.db.write() as session:
            row = session.get_one(Conversation, number)
            row.rater_persona, row.choices = list(SELF), ["1111aaaa", "2222bbbb"]
            row.partner_persona, row.distractor = list(drawn.partner), list(drawn.distractor)
            row.partner_first = drawn.partner_first
            for team in session.query(Team):
                team.name, team.repo_url = f"{IDENTITY['team']}{team.id}", IDENTITY["repo_url"]
            for submission in session.query(Submission):
                submission.entry, submission.commit = IDENTITY["entry"], IDENTITY["commit"]
            for attempt in session.query(Attempt):
                attempt.image, attempt.environment = IDENTITY["image"], IDENTITY["environment"]
                attempt.sandbox = IDENTITY["sandbox"]

    def _talk(self, seen: Recorder, chat: str, *, tab: str) -> None:
        here = f"{chat}?tab={tab}"
        waiting = seen.get(here)
        script = re.findall(r'src="(/static/[^"]+)"', waiting.text)[0]
        assert seen.get(script).status == 200
        self._held(seen, chat, tab=tab, then=None)
        for place, accept in enumerate((JSON, HTML, JSON)):
            seen.get(here)
            said = {"tab": tab, "client_id": f"abcd000{place}", "text": f"message {place}"}
            assert seen.post(f"{chat}/turns", accept=accept, **said).status in (200, 303)
            seen.get(here)
            self._held(seen, chat, tab=tab, then=f"reply {place} .")
            seen.post(f"{chat}/turns", accept=accept, **said)

    def _held(self, seen: Recorder, chat: str, *, tab: str, then: str | None) -> None:
        """A long poll that is under way while the partner does something."""
        number = int(chat.rpartition("/")[2])
        version = self.world.conversation(number).version
        poll = threading.Thread(
            target=seen.get,
            args=(f"{chat}/events?after={version + (then is None)}&have=-1&tab={tab}",),
            kwargs={"accept": JSON},
        )
        poll.start()
        partner(self.world, number, then, worker=IDENTITY["worker"])
        poll.join(30)
        assert not poll.is_alive()

    def _trouble(self, seen: Recorder, link: str, chat: str, *, tab: str) -> None:
        """Whatever can be refused before the conversation is closed."""
        for accept in (JSON, HTML):
            for step, fields in (
                ("turns", {"client_id": "abcd0009", "text": ""}),
                ("turns", {"client_id": "abcd0009", "text": "x" * 700}),
                ("turns", {"client_id": "no id", "text": "x"}),
                ("turns", {"client_id": "abcd0009", "text": "x" * MAX_BODY}),
                ("turns", {"client_id": "abcd0009", "text": "x", "tab": "0123abcd"}),
                ("close", {"tab": "0123abcd"}),
                ("enjoyment", {"value": "3"}),
                ("persona", {"choice": "1111aaaa"}),
            ):
                assert (
                    seen.post(f"{chat}/{step}", accept=accept, **{"tab": tab, **fields}).status
                    >= 400
                )
            for path in (f"{link}x", f"{link}/nothing", f"{chat}0", f"{chat}/turns"):
                assert seen.get(path, accept=accept).status >= 400
            seen.get(f"{chat}/events?after=-1&tab=0123abcd", accept=accept)
        for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"):
            seen.ask(method, chat)

    def _judge(self, seen: Recorder, chat: str, *, tab: str) -> None:
        here = f"{chat}?tab={tab}"
        assert seen.post(f"{chat}/close", tab=tab).status == 303
        assert "How much" in seen.get(here).text
        seen.get(f"{chat}/events?after=-1&tab={tab}", accept=JSON)
        assert seen.post(f"{chat}/enjoyment", tab=tab, value="7").status == 400
        assert seen.post(f"{chat}/persona", tab=tab, choice="1111aaaa").status == 409
        seen.stored = len(seen.kept)
        assert seen.post(f"{chat}/enjoyment", tab=tab, value="3").status == 303
        assert "Which of these" in seen.get(here).text
        seen.get(f"{chat}/events?after=-1&tab={tab}", accept=JSON)
        assert seen.post(f"{chat}/enjoyment", tab=tab, value="1").status == 409
        assert seen.post(f"{chat}/persona", tab=tab, choice="ffff0000").status == 400
        assert seen.post(f"{chat}/persona", tab=tab, choice="1111aaaa").status == 303
        assert "Your answers are stored" in seen.get(here).text
        for accept in (JSON, HTML):
            assert (
                seen.post(f"{chat}/persona", accept=accept, tab=tab, choice="2222bbbb").status
                == 409
            )
        seen.get(f"{chat}/events?after=-1&tab={tab}", accept=JSON)


def expect_silence(seen: Recorder) -> None:
    """No identity at all; no persona before the first answer, and after it only in the question."""
    everything = seen.all.lower()
    for what, planted in IDENTITY.items():
        assert planted.encode() not in everything, what
    for persona in PERSONAS:
        assert persona.encode() not in seen.before.lower()
    asked = [e for e in seen.kept[seen.stored :] if b"zqpersona" in e.answer]
    assert asked
    assert all("Which of these two people" in e.text for e in asked)
    for exchange in asked:
        assert all(exchange.text.count(sentence) == 1 for sentence in (*ONE, *TWO))


def expect_equal(one: Recorder, other: Recorder) -> None:
    """Both raters were sent the same bytes, request by request, heads and lengths included."""
    assert [plain(e.request) for e in one.kept] == [plain(e.request) for e in other.kept]
    for first, second in zip(one.kept, other.kept, strict=True):
        assert plain(first.text) == plain(second.text), first.request


def plain(text: str) -> str:
    """A text without what is drawn for each tab and what the clock says; lengths stay."""
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "D" * 29, text)
    return re.sub(r"\b[0-9a-f]{16}\b", "T" * 16, text)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Worlds that are alike to the last row."""
    monkeypatch.setattr(hints, "send", lambda *_args, **_kwargs: True)
    made: list[HumanWorld] = []

    def build(**options: Any) -> Stage:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(humanworld.opened(folder, finalists=1, minimum_turns=3))
        return Stage(made[-1], **options)

    yield build
    for world in made:
        world.db.close()


def test_nothing_tells_who_the_partner_is(stage: Callable[..., Stage]) -> None:
    seen = stage().record(Drawn())
    assert len(seen.kept) > 60
    expect_silence(seen)


def test_which_persona_is_the_partner_s_changes_no_byte_but_the_order(
    stage: Callable[..., Stage],
) -> None:
    right = stage().record(Drawn(ONE, TWO, partner_first=True))
    wrong = stage().record(Drawn(TWO, ONE, partner_first=False))
    expect_equal(right, wrong)  # the same card was chosen; in one session it is the right one
    turned = stage().record(Drawn(TWO, ONE, partner_first=True))
    for first, second in zip(right.kept, turned.kept, strict=True):
        assert plain(cards_sorted(first.text)) == plain(cards_sorted(second.text)), first.request
    assert plain(right.all.decode()) != plain(turned.all.decode())


def cards_sorted(text: str) -> str:
    """A page with the sentences of its two cards in a fixed order."""
    cards = re.findall(r'<ul class="persona">.*?</ul>', text, re.DOTALL)
    if len(cards) != 2:
        return text
    first, second = cards
    swapped = text.replace(first, "@1").replace(second, "@2")
    return swapped.replace("@1", min(cards)).replace("@2", max(cards))


def leak_in_a_header(response: Response) -> Response:
    response.headers["X-Partner"] = IDENTITY["entry"]
    return response


def test_a_name_in_a_header_would_be_found(stage: Callable[..., Stage]) -> None:
    seen = stage(change=leak_in_a_header).record(Drawn())
    with pytest.raises(AssertionError, match="entry"):
        expect_silence(seen)


def test_a_persona_in_a_long_poll_would_be_found(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = page.document

    def talkative(view: scene.TalkView, *, have: int) -> dict[str, Any]:
        return {**document(view, have=have), "hint": ONE[0]}

    monkeypatch.setattr(page, "document", talkative)
    seen = stage().record(Drawn())
    with pytest.raises(AssertionError):
        expect_silence(seen)


def test_a_fixed_order_of_the_cards_would_be_found(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = scene._choices

    def partner_on_top(conversation: Conversation, enjoyment: int | None) -> tuple[Choice, ...]:
        shown = choices(conversation, enjoyment)
        return shown if conversation.partner_first else tuple(reversed(shown))

    monkeypatch.setattr(scene, "_choices", partner_on_top)
    right = stage().record(Drawn(ONE, TWO, partner_first=True))
    wrong = stage().record(Drawn(TWO, ONE, partner_first=False))
    with pytest.raises(AssertionError):
        expect_equal(right, wrong)


def test_an_answer_that_tells_right_from_wrong_by_its_length_would_be_found(
    stage: Callable[..., Stage],
) -> None:
    def record(drawn: Drawn) -> Recorder:
        made = stage()

        def longer(response: Response) -> Response:
            row = made.world.conversation(1) if response.status_code == 303 else None
            if row and row.state.value == "rated" and row.partner_first:
                response.set_data(response.get_data() + b" ")
            return response

        made.change = longer
        return made.record(drawn)

    right = record(Drawn(ONE, TWO, partner_first=True))
    wrong = record(Drawn(TWO, ONE, partner_first=False))
    with pytest.raises(AssertionError, match="persona"):
        expect_equal(right, wrong)
