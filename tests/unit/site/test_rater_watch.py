"""The long poll: what it tells, how many may wait, and that all of them share one look."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import humanworld
import pytest
from flask import Flask
from humanworld import HumanWorld, partner
from raterside import JSON, Person

from leaderboard.human.stages import ChatState
from leaderboard.states import Queue
from leaderboard.web import create_app
from leaderboard.web.rater import routes
from leaderboard.web.rater.watch import EXTENSION, HOLDS_EACH, Watch

SOON = 5.0
"""Seconds after which something that should come at once has failed to come."""


class Board:
    """Versions by id, and a count of the looks at them."""

    def __init__(self) -> None:
        self.versions: dict[int, int] = {}
        self.looks: list[tuple[float, tuple[int, ...]]] = []
        self.broken = False

    def __call__(self, ids: Collection[int]) -> dict[int, int]:
        self.looks.append((time.monotonic(), tuple(ids)))
        if self.broken:
            raise OSError("the database is away")
        return {n: v for n, v in self.versions.items() if n in ids}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads, as a server has them."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


def waiting(watch: Watch, number: int, *, after: int = 0, seconds: float = SOON) -> bool | None:
    with watch.hold(number) as hold:
        return hold.wait(after=after, seconds=seconds) if hold else None


def until(seen: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_who_waits_is_woken_by_its_own_conversation_alone(pool: ThreadPoolExecutor) -> None:
    board = Board()
    board.versions = {1: 0, 2: 0}
    watch = Watch(board, period=0.01)
    one = pool.submit(waiting, watch, 1)
    two = pool.submit(waiting, watch, 2)
    until(lambda: board.looks and set(board.looks[-1][1]) == {1, 2})
    board.versions[2] = 1
    assert two.result(SOON) is True
    assert not one.done()
    board.versions[1] = 1
    assert one.result(SOON) is True


def test_many_waiters_share_one_look_and_the_lead_is_handed_on(pool: ThreadPoolExecutor) -> None:
    board = Board()
    board.versions = dict.fromkeys(range(10), 0)
    watch = Watch(board, period=0.05)
    begun = time.monotonic()
    waits: list[Future[bool | None]] = [pool.submit(waiting, watch, n) for n in range(10)]
    for number in range(10):  # the leader is among those that leave
        time.sleep(0.06)
        board.versions[number] = 1
        assert waits[number].result(SOON) is True
    assert len(board.looks) <= (time.monotonic() - begun) / 0.05 + 2


def test_a_wait_ends_on_time_and_nobody_looks_when_nobody_waits() -> None:
    board = Board()
    watch = Watch(board, period=0.01)
    begun = time.monotonic()
    assert waiting(watch, 1, seconds=0.1) is False
    assert 0.09 <= time.monotonic() - begun < SOON
    looks = len(board.looks)
    time.sleep(0.05)
    assert len(board.looks) == looks > 1


def test_what_is_already_newer_needs_no_second_look() -> None:
    board = Board()
    board.versions = {1: 7}
    watch = Watch(board, period=0.01)
    assert waiting(watch, 1, after=6) is True
    assert len(board.looks) == 1


def test_beyond_the_room_a_poll_is_not_held(pool: ThreadPoolExecutor) -> None:
    watch = Watch(Board(), period=0.01, holds=2)
    held = [pool.submit(waiting, watch, n, seconds=0.5) for n in (1, 2)]
    until(lambda: len(watch._waiting) == 2)
    assert waiting(watch, 3) is None
    assert [one.result(SOON) for one in held] == [False, False]
    assert waiting(watch, 3, seconds=0.01) is False


def test_reloading_does_not_use_up_the_room(pool: ThreadPoolExecutor) -> None:
    watch = Watch(Board(), period=0.01, holds=8)
    held = [pool.submit(waiting, watch, 1, seconds=2) for _ in range(8)]
    until(lambda: sum(one.done() for one in held) == 8 - HOLDS_EACH)
    assert sum(one.done() for one in held) == 8 - HOLDS_EACH
    watch.close()


def test_a_look_that_fails_ends_one_wait_and_the_others_go_on(pool: ThreadPoolExecutor) -> None:
    board = Board()
    watch = Watch(board, period=0.01)
    one = pool.submit(waiting, watch, 1)
    until(lambda: board.looks)
    two = pool.submit(waiting, watch, 2)
    until(lambda: len(board.looks[-1][1]) == 2)
    board.broken = True
    with pytest.raises(OSError, match="away"):
        one.result(SOON)
    until(lambda: not watch._led)
    board.broken = False
    board.versions = {2: 1}
    try:
        assert two.result(SOON) is True
    except OSError:  # it led once before the board was whole again
        assert waiting(watch, 2) is True


def test_closing_ends_every_wait(pool: ThreadPoolExecutor) -> None:
    watch = Watch(Board(), period=0.01)
    held = [pool.submit(waiting, watch, n, seconds=60) for n in range(5)]
    until(lambda: len(watch._waiting) == 5)
    watch.close()
    assert [one.result(SOON) for one in held] == [False] * 5
    assert waiting(watch, 1, seconds=60) is False


@pytest.fixture
def people(tmp_path: Path) -> Iterator[HumanWorld]:
    """An open human evaluation."""
    made = humanworld.opened(tmp_path)
    yield made
    made.db.close()


@pytest.fixture
def site(people: HumanWorld, sent: list[tuple[Queue, int]]) -> Flask:
    """The site."""
    return create_app(people.db, key=people.key)


@pytest.fixture
def anna(people: HumanWorld, site: Flask) -> Person:
    """A rater in a conversation whose partner is there."""
    person = Person(site.test_client(), people)
    person.start()
    partner(people, person.id, None)
    return person


def poll(person: Person, *, after: int, have: int = -1, tab: str = "") -> dict[str, Any]:
    address = f"{person.link}/chats/{person.id}/events"
    query = {"after": after, "have": have, "tab": tab or person.tab}
    answer = person.client.get(address, query_string=query, headers=JSON)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def send(person: Person, text: str, *, client_id: str, have: int = -1) -> dict[str, Any]:
    answer = person.client.post(
        f"{person.link}/chats/{person.id}/turns",
        headers=JSON,
        data={"tab": person.tab, "client_id": client_id, "text": text, "have": have},
    )
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_poll_tells_only_the_turns_that_the_page_lacks(anna: Person, people: HumanWorld) -> None:
    told = send(anna, "hello", client_id="aaaa0001")
    assert told["turns"] == [{"number": 0, "speaker": "rater", "text": "hello"}]
    assert (told["awaits"], told["may_write"]) == (True, False)
    partner(people, anna.id, "hi !")
    news = poll(anna, after=told["version"], have=0)
    assert news["turns"] == [{"number": 1, "speaker": "partner", "text": "hi !"}]
    assert (news["awaits"], news["may_write"]) == (False, True)
    assert news["progress"] == "1 of at least 2 turns"
    assert poll(anna, after=-1, have=1)["turns"] == []
    assert len(poll(anna, after=-1)["turns"]) == 2
    assert send(anna, "hello", client_id="aaaa0001", have=1)["turns"] == []


def test_a_poll_is_held_until_the_reply_is_there(
    anna: Person, people: HumanWorld, site: Flask
) -> None:
    known = send(anna, "hello", client_id="aaaa0001")["version"]
    answer = threading.Timer(0.3, partner, args=(people, anna.id, "hi !"))
    begun = time.monotonic()
    answer.start()
    news = poll(anna, after=known, have=0)
    assert [turn["text"] for turn in news["turns"]] == ["hi !"]
    assert 0.25 < time.monotonic() - begun < SOON
    answer.join()


def test_a_poll_with_nothing_new_ends_by_itself(
    anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "HOLD_SECONDS", 0.3)
    known = poll(anna, after=-1)["version"]
    news = poll(anna, after=known)
    assert (news["version"], news["turns"]) == (known, [])


def test_a_deadline_fires_while_the_poll_waits(
    anna: Person, people: HumanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "TICK_SECONDS", 0.05)
    known = send(anna, "hello", client_id="aaaa0001")["version"]
    late = threading.Timer(0.3, people.pass_, kwargs={"seconds": 300})
    late.start()
    news = poll(anna, after=known, have=0)
    late.join()
    assert news["state"] == "void"
    assert "This is not your fault" in news["line"]


def test_with_no_room_a_poll_tells_what_is_known_at_once(anna: Person, site: Flask) -> None:
    site.extensions[EXTENSION] = Watch(lambda ids: {}, holds=1)
    known = poll(anna, after=-1)["version"]
    with site.extensions[EXTENSION].hold(99):
        begun = time.monotonic()
        assert poll(anna, after=known)["version"] == known
        assert time.monotonic() - begun < SOON


def test_a_tab_that_lost_the_conversation_is_told(anna: Person) -> None:
    old = anna.tab
    anna.start()
    news = poll(anna, after=-1, tab=old)
    assert news["holds"] is False
    assert news["may_write"] is False
    assert poll(anna, after=-1)["holds"] is True


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"text": "x", "client_id": "nothing like an id"}, 400, "bad_answer"),
        ({"text": "", "client_id": "aaaa0001"}, 400, "empty_text"),
        ({"text": "x" * 601, "client_id": "aaaa0001"}, 400, "too_long"),
        ({"text": "x", "client_id": "aaaa0001", "tab": "0123abcd"}, 409, "other_tab"),
    ],
)
def test_refusals_are_the_house_s_error_body(
    anna: Person, fields: dict[str, str], status: int, code: str
) -> None:
    answer = anna.client.post(
        f"{anna.link}/chats/{anna.id}/turns", headers=JSON, data={"tab": anna.tab, **fields}
    )
    assert answer.status_code == status
    error = answer.get_json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code
    assert error["message"].endswith(".")


def test_an_ended_conversation_refuses_a_message_and_keeps_its_turns(
    anna: Person, people: HumanWorld
) -> None:
    anna.press("leave")
    assert people.conversation(anna.id).state is ChatState.VOID
    assert send(anna, "too late", client_id="aaaa0001")["error"]["code"] == "chat_over"
