"""What a rater meets: the desk, a whole conversation without JavaScript, and every refusal."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import humanworld
import pytest
from flask.testing import FlaskClient
from humanworld import HumanWorld, partner
from raterside import JSON, Person, words
from sqlalchemy import func, select

from leaderboard import hints
from leaderboard.db.people import Conversation, Judgement, Lock
from leaderboard.human import claims, invitations, opening
from leaderboard.human.stages import VOID_REASONS, ChatState
from leaderboard.states import Queue
from leaderboard.web import create_app
from leaderboard.web.app import MAX_BODY
from leaderboard.web.problems import RATER_STATUS


@pytest.fixture
def people(tmp_path: Path) -> Iterator[HumanWorld]:
    """An open human evaluation with three finalists and two raters; two turns are the least."""
    made = humanworld.opened(tmp_path)
    yield made
    made.db.close()


@pytest.fixture
def client(people: HumanWorld, sent: list[tuple[Queue, int]]) -> FlaskClient:
    """A client of the site."""
    return create_app(people.db, key=people.key).test_client()


@pytest.fixture
def anna(client: FlaskClient, people: HumanWorld) -> Person:
    """The first rater."""
    return Person(client, people)


@pytest.fixture
def ben(client: FlaskClient, people: HumanWorld) -> Person:
    """The second rater."""
    return Person(client, people, place=1)


def conversations(world: HumanWorld) -> int:
    with world.db.read() as session:
        return session.scalar(select(func.count()).select_from(Conversation)) or 0


def test_the_desk_tells_what_is_asked_and_opening_it_changes_nothing(
    anna: Person, people: HumanWorld, sent: list[tuple[Queue, int]]
) -> None:
    page = anna.desk()
    assert page.status_code == 200
    assert "Chat with somebody new" in words(page)
    assert "up to 3 conversations" in words(page)
    assert "Do not write anything real about yourself" in words(page)
    assert "Start a conversation" in words(page)
    assert anna.client.head(anna.link).status_code == 200
    assert conversations(people) == 0
    assert sent == []


def test_a_whole_conversation_without_javascript(
    anna: Person, people: HumanWorld, sent: list[tuple[Queue, int]]
) -> None:
    page = anna.start()
    assert sent == [(Queue.CONVERSE, anna.id)]
    assert "Your partner is being called." in words(page)
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert "Look for the reply" in words(page)
    assert "readonly" in page.text
    mine = people.conversation(anna.id).rater_persona
    assert all(sentence in words(page) for sentence in mine)

    partner(people, anna.id, None)
    page = anna.look()
    assert "readonly" not in page.text
    assert "http-equiv" not in page.text
    assert "0 of at least 2 turns" in words(page)

    page = anna.say("hello, who are you?")
    assert "You : hello, who are you?" in words(page)
    assert '<noscript><meta http-equiv="refresh"' in page.text
    partner(people, anna.id, "i am number one .")
    page = anna.look()
    assert "Partner : i am number one ." in words(page)
    assert "1 of at least 2 turns" in words(page)
    assert re.search(r'id="close"[^>]* disabled', page.text)

    anna.say("and what do you like?")
    partner(people, anna.id, "numbers .")
    assert not re.search(r'id="close"[^>]* disabled', anna.look().text)

    page = anna.press("close")
    assert "How much did you enjoy talking to this partner?" in words(page)
    assert "1 Not at all 2 A little 3 Somewhat 4 A lot" in words(page)
    page = anna.press("enjoyment", value="3")
    assert "Which of these two people do you think you talked to?" in words(page)
    ids = re.findall(r'name="choice" value="([0-9a-f]+)"', page.text)
    assert len(set(ids)) == 2
    page = anna.press("persona", choice=ids[0])
    assert "Your answers are stored" in words(page)
    assert people.conversation(anna.id).state is ChatState.RATED
    assert "1 of 3 conversations done" in words(anna.desk())


def test_what_cannot_be_sent_stays_in_the_box(anna: Person, people: HumanWorld) -> None:
    anna.start()
    partner(people, anna.id, None)
    long = "so much to say & <more> " * 40
    page = anna.say(long)
    assert page.status_code == 400
    assert "at most 600 fit in one turn" in words(page)
    assert long.strip() in words(page)
    page = anna.say("  \n ")
    assert page.status_code == 400
    assert "There is nothing to send yet." in words(page)
    anna.say("first")
    page = anna.post("turns", client_id="abcdef01", text="too soon")
    assert page.status_code == 409
    assert "Your partner has not replied yet." in words(page)
    assert "too soon" in words(page)
    assert "http-equiv" not in page.text  # asking again by itself would lose what is in the box


def test_the_same_form_sent_twice_is_one_message(anna: Person, people: HumanWorld) -> None:
    anna.start()
    partner(people, anna.id, None)
    for _ in range(2):
        assert anna.post("turns", client_id="0123456789abcdef", text="once").status_code == 303
    assert words(anna.look()).count("once") == 1


def test_answers_are_kept_one_by_one_and_the_first_stays(anna: Person, people: HumanWorld) -> None:
    anna.start()
    anna.talk(2)
    anna.press("close")
    page = anna.press("enjoyment")
    assert page.status_code == 400
    assert "Please choose one of the answers." in words(page)
    assert anna.press("persona", choice="abcd").status_code == 409
    anna.press("enjoyment", value="4")
    page = anna.press("enjoyment", value="1")
    assert page.status_code == 409
    assert "Which of these two people" in words(page)
    assert people.view(anna.id).enjoyment == 4
    ids = re.findall(r'name="choice" value="([0-9a-f]+)"', page.text)
    anna.press("persona", choice=ids[1])
    page = anna.press("persona", choice=ids[0])
    assert page.status_code == 409
    assert "Your answers are stored" in words(page)


def test_two_tabs_are_told_apart_and_the_later_one_goes_on(
    anna: Person, people: HumanWorld
) -> None:
    anna.start()
    partner(people, anna.id, None)
    first = anna.url
    anna.start()
    assert anna.url != first
    page = anna.client.get(first)
    assert "goes on in another tab" in words(page)
    assert re.search(r'id="composer" hidden', page.text)
    late = Person(anna.client, people, url=first).post(
        "turns", client_id="aaaabbbb", text="from the old tab"
    )
    assert late.status_code == 409
    assert "goes on in another tab" in words(late)
    assert anna.say("from the new tab").status_code == 200


def test_a_void_conversation_says_why_and_keeps_what_was_written(
    anna: Person, people: HumanWorld
) -> None:
    anna.start()
    partner(people, anna.id, None)
    anna.say("are you there?")
    people.pass_(seconds=people.view(anna.id).protocol.reply_seconds + 4)
    partner_is_gone = anna.look()
    assert "This is not your fault" in words(partner_is_gone)
    assert "are you there?" in words(partner_is_gone)
    page = anna.post("turns", client_id="abcdef01", text="one thing more")
    assert page.status_code == 409
    assert "Written, but not sent one thing more" in words(page)
    assert "Start a conversation" in words(anna.desk())


@pytest.mark.parametrize("code", [code for code in VOID_REASONS if code != "revoked"])
def test_every_way_to_end_early_has_its_sentence(
    anna: Person, people: HumanWorld, code: str
) -> None:
    anna.start()
    with people.db.write() as session:
        row = session.get_one(Conversation, anna.id)
        row.state, row.void_code = ChatState.VOID, code
    assert VOID_REASONS[code].sentence in words(anna.look())


def test_leaving_takes_two_steps_and_no_script(anna: Person, people: HumanWorld) -> None:
    page = anna.start()
    assert "Leave early" in words(page)
    page = anna.press("leave")
    assert "You have left this conversation" in words(page)
    assert people.conversation(anna.id).void_code == "left"


Told = Callable[[Person, Person, HumanWorld], tuple[int, str]]


def forged(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    token = people.tokens[0]
    answer = anna.client.get(f"/rate/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")
    return answer.status_code, words(answer)


def expired(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    people.pass_(days=31)
    answer = anna.desk()
    return answer.status_code, words(answer)


def revoked(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    anna.start()
    invitations.revoke(people.db, people.competition_id, "rater-1", reason="a mistake")
    answer = anna.look()
    return answer.status_code, words(answer)


def closed(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    opening.close_evaluation(people.db, people.competition_id, reason="enough")
    answer = anna.start()
    return answer.status_code, words(answer)


def foreign(anna: Person, ben: Person, _people: HumanWorld) -> tuple[int, str]:
    ben.start()
    answer = anna.client.get(f"{anna.link}/chats/{ben.id}?tab={ben.tab}")
    return answer.status_code, words(answer)


def early(anna: Person, _ben: Person, _people: HumanWorld) -> tuple[int, str]:
    anna.start()
    anna.talk(1)
    answer = anna.press("close")
    return answer.status_code, words(answer)


def share_done(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    for _ in range(3):
        people.rated(people.claim())
    answer = anna.start()
    return answer.status_code, words(answer)


def idle(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    anna.start()
    anna.talk(1)
    people.pass_(seconds=590)
    partner(people, anna.id, None)
    people.pass_(seconds=11)
    answer = anna.post("turns", client_id="ab" * 8, text="i am back")
    return answer.status_code, words(answer)


def elsewhere(anna: Person, _ben: Person, _people: HumanWorld) -> tuple[int, str]:
    anna.start()
    anna.talk(1)
    answer = anna.post("turns", tab="0" * 16, client_id="ab" * 8, text="from the old tab")
    return answer.status_code, words(answer)


def twice(anna: Person, _ben: Person, people: HumanWorld) -> tuple[int, str]:
    anna.start()
    anna.talk(2)
    anna.press("close")
    anna.press("enjoyment", value="3")
    answer = anna.post("enjoyment", value="1")
    with people.db.read() as session:
        stored = session.get_one(Judgement, anna.id)
        assert stored.enjoyment == 3
    return answer.status_code, words(answer)


REFUSED: dict[str, tuple[Told, int, str]] = {
    "already_answered": (twice, 409, "This answer is stored already, and the first one stays."),
    "chat_over": (idle, 409, VOID_REASONS["idle"].sentence),
    "other_tab": (elsewhere, 409, "This conversation goes on in another tab or window."),
    "link_forged": (forged, 404, "This link is not valid here."),
    "link_expired": (expired, 410, "This link was valid until"),
    "link_revoked": (revoked, 410, "The organizers have withdrawn this invitation."),
    "human_closed": (closed, 410, "The conversations are over; no more answers are needed."),
    "not_your_conversation": (foreign, 404, "This conversation is not one of yours."),
    "too_early": (early, 409, "1 answered turn is still missing"),
    "share_done": (share_done, 409, claims.REFUSALS["share_done"]),
}


@pytest.mark.parametrize("code", REFUSED)
def test_every_refusal_is_one_calm_sentence(
    anna: Person, ben: Person, people: HumanWorld, code: str
) -> None:
    story, status, sentence = REFUSED[code]
    answered, shown = story(anna, ben, people)
    assert answered == status == RATER_STATUS[code]
    assert sentence in shown
    assert not re.search(r"Traceback|Error|finalist|/c/|board", shown)


@pytest.mark.parametrize("code", ["none_left", "try_later"])
def test_nothing_to_do_is_said_at_the_desk_and_after_the_button(
    tmp_path: Path, sent: list[tuple[Queue, int]], code: str
) -> None:
    world = humanworld.opened(tmp_path, finalists=1, ratings=1)
    first = world.claim()
    if code == "none_left":
        world.rated(first)
    late = Person(create_app(world.db, key=world.key).test_client(), world, place=1)
    assert claims.REFUSALS[code] in words(late.desk())
    assert "Start a conversation" not in words(late.desk())
    answer = late.start()
    assert answer.status_code == 409
    assert words(answer).count(claims.REFUSALS[code]) == 1
    world.db.close()


def test_the_desk_before_the_opening(tmp_path: Path, people: HumanWorld, anna: Person) -> None:
    with people.db.write() as session:
        session.get_one(Lock, people.competition_id).opened_at = None
    page = anna.desk()
    assert page.status_code == 200
    assert "The conversations have not begun yet." in words(page)
    assert anna.start().status_code == RATER_STATUS["human_not_open"] == 409


def test_forged_links_and_foreign_conversations_look_alike(
    anna: Person, ben: Person, people: HumanWorld
) -> None:
    ben.start()
    token = people.tokens[0]
    forgeries = [
        "x",
        "1.2.3",
        token + "x",
        "9999" + token[1:],
        token.replace(".", ".1", 1),
        "a" * 3000,
        people.tokens[1].split(".")[0] + token[1:],
    ]
    shown = {(a.status_code, a.text) for a in (ben.client.get(f"/rate/{t}") for t in forgeries)}
    assert len(shown) == 1
    strange = [f"{anna.link}/chats/{n}?tab={ben.tab}" for n in (ben.id, 4711, 2147483647)]
    assert len({(a.status_code, a.text) for a in map(anna.client.get, strange)}) == 1
    for step in ("turns", "close", "leave", "enjoyment", "persona"):
        answers = {
            (a.status_code, a.text)
            for a in (
                anna.client.post(
                    f"{anna.link}/chats/{n}/{step}",
                    data={
                        "tab": ben.tab,
                        "client_id": "abcdef01",
                        "text": "x",
                        "value": "1",
                        "choice": "abcd",
                    },
                )
                for n in (ben.id, 4711)
            )
        }
        assert [status for status, _ in answers] == [404]
    assert people.conversation(ben.id).state is ChatState.WAITING


def test_every_answer_is_nobody_else_s(anna: Person, people: HumanWorld) -> None:
    anna.start()
    chat = f"{anna.link}/chats/{anna.id}"
    answers = [
        anna.desk(),
        anna.look(),
        anna.client.get(f"{chat}/events?after=-1&tab={anna.tab}"),
        anna.post("turns", client_id="abcdef01", text="x"),
        anna.client.post(f"{chat}/turns", headers=JSON, data={"tab": anna.tab}),
        anna.client.get("/rate/forged"),
        anna.client.get("/rate/"),
        anna.client.get("/rate/a/b/c/d"),
        anna.client.put(anna.link),
        anna.client.post(f"{chat}/turns", data={"text": "x" * (MAX_BODY + 1)}),
        anna.client.post(f"{anna.link}/start"),
    ]
    assert [a.status_code for a in answers] == [
        200, 200, 200, 409, 400, 404, 404, 404, 405, 413, 303,
    ]  # fmt: skip
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert not {"ETag", "Set-Cookie", "Last-Modified"} & set(answer.headers.keys())
        assert "Board" not in answer.text
        assert 'href="/"' not in answer.text


@pytest.mark.parametrize("step", ["turns", "close", "leave", "enjoyment", "persona"])
def test_a_form_s_address_takes_posts_only(anna: Person, step: str) -> None:
    anna.start()
    answer = anna.client.get(f"{anna.link}/chats/{anna.id}/{step}")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert "Please open the link of your invitation again." in words(answer)
    assert anna.client.get(f"{anna.link}/start").status_code == 405


def test_an_unforeseen_error_tells_a_rater_nothing_and_the_log_no_secret(
    anna: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("team SECRET-TEAM in /srv/secret")

    monkeypatch.setattr(claims, "desk", broken)
    answer = anna.desk()
    assert answer.status_code == 500
    assert "It is not your fault" in words(answer)
    assert "SECRET" not in answer.text
    assert "unforeseen error" in caplog.text
    assert anna.link not in caplog.text


def test_what_a_partner_writes_is_text(anna: Person, people: HumanWorld) -> None:
    anna.start()
    partner(people, anna.id, None)
    anna.say("hi")
    partner(
        people, anna.id, "<script>alert(1)</script> </li> {{ 7 * 7 }} \x1b[2J e" + "\u0301" * 50
    )
    page = anna.look()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;/li&gt; {{ 7 * 7 }}" in page.text
    assert "<script>" not in page.text
    assert "\x1b" not in page.text
    assert "\u0301" * 4 not in page.text


def test_a_claim_does_not_wait_long_for_a_broker_that_hangs(
    people: HumanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Event()
    monkeypatch.setattr(hints, "client", lambda _url: held.wait(10))
    person = Person(create_app(people.db, key=people.key).test_client(), people)
    begun = time.monotonic()
    assert person.start().status_code == 200
    assert time.monotonic() - begun < hints.SECONDS / 2
    held.set()


def test_without_a_key_of_its_own_the_site_reads_the_home_s(
    people: HumanWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path))
    (tmp_path / "secret_key").write_bytes(people.key)
    client = create_app(people.db).test_client()
    assert client.get(f"/rate/{people.tokens[0]}").status_code == 200
    (tmp_path / "secret_key").write_bytes(b"another key, of 32 bytes or more")
    assert client.get(f"/rate/{people.tokens[0]}").status_code == 404
