"""Invitations: links that cannot be forged, that expire to the second, that can be withdrawn."""

from datetime import timedelta

import pytest
from finals import KEY, Finals, finals
from house import House

from harness.errors import UsageError
from leaderboard.db.people import Conversation, Rater
from leaderboard.human import invitations, opening
from leaderboard.human.invitations import invite, listing, read, revoke, token
from leaderboard.human.stages import ChatState


@pytest.fixture
def people(house: House) -> Finals:
    return finals(house)


def refused(people: Finals, text: str, *, key: bytes = KEY) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(people.house.db, text, key=key)
    return caught.value


def test_a_link_leads_back_to_its_rater(people: Finals) -> None:
    ada, _ben = people.invite("Ada", "Ben", share=3)
    assert (ada.rater.name, ada.rater.share) == ("Ada", 3)
    assert ada.rater.expires_at == people.house.clock.now + timedelta(days=14)
    assert read(people.house.db, ada.token, key=KEY) == ada.rater
    assert ada.token.isascii()
    assert len(ada.token) < 80


def test_a_link_is_computed_anew_and_kept_nowhere(people: Finals) -> None:
    (ada,) = people.invite("Ada")
    rater = ada.rater
    again = token(rater.id, competition_id="spc", expires_at=rater.expires_at, key=KEY)
    assert again == ada.token
    mac = ada.token.rpartition(".")[2]
    with people.house.db.read() as session:
        row = session.get_one(Rater, rater.id)
        assert mac not in repr([getattr(row, column.key) for column in Rater.__table__.columns])


def test_a_share_that_is_not_given_is_the_protocols(house: House) -> None:
    people = finals(house, protocol="schema = 1\nshare = 7")
    assert people.invite("Ada")[0].rater.share == 7


def test_every_altered_character_makes_a_link_a_forgery(people: Finals) -> None:
    good = people.invite("Ada", "Ben")[0].token
    for place, character in enumerate(good):
        for other in ("0", "1", "A", "_", "."):
            if other != character:
                altered = good[:place] + other + good[place + 1 :]
                assert refused(people, altered).code == "link_forged", altered


@pytest.mark.parametrize(
    "alter",
    [
        lambda good: "",
        lambda good: good[:-1],
        lambda good: good[1:],
        lambda good: good + "A",
        lambda good: good + "=",
        lambda good: good + "\n",
        lambda good: " " + good,
        lambda good: "0" + good,
        lambda good: "9" * 400 + good,
        lambda good: good * 1_000,
        lambda good: good.partition(".")[2],
        lambda good: "999" + good[good.index(".") :],
        lambda good: "-1" + good[good.index(".") :],
        lambda good: "9" * 18 + good[good.index(".") :],
        lambda good: good.replace("1", "\N{FULLWIDTH DIGIT ONE}", 1),
        lambda good: good.replace("1", "\N{SUPERSCRIPT ONE}", 1),
        lambda good: good[:-1] + "\N{CYRILLIC SMALL LETTER A}",
        lambda good: good[:-1] + "\x00",
        lambda good: good[:-1] + "\ud800",
        lambda good: good.upper(),
        lambda good: "%31" + good[1:],
    ],
)
def test_a_text_that_is_no_link_is_met_calmly(people: Finals, alter) -> None:  # type: ignore[no-untyped-def]
    good = people.invite("Ada")[0].token
    error = refused(people, alter(good))
    assert (error.code, error.message) == ("link_forged", "This link is not valid here.")
    assert "copied the whole link" in error.hint


def test_a_link_of_another_installation_or_competition_is_not_valid_here(people: Finals) -> None:
    ada, ben = people.invite("Ada", "Ben")
    assert refused(people, ada.token, key=b"other" * 8).code == "link_forged"
    expires = ada.rater.expires_at
    elsewhere = token(ada.rater.id, competition_id="spd", expires_at=expires, key=KEY)
    assert refused(people, elsewhere).code == "link_forged"
    longer = token(
        ada.rater.id, competition_id="spc", expires_at=expires + timedelta(days=1), key=KEY
    )
    assert refused(people, longer).code == "link_forged"
    of_ben = f"{ben.rater.id}." + ada.token.partition(".")[2]
    assert refused(people, of_ben).code == "link_forged"


def test_a_link_ends_at_the_exact_instant(people: Finals) -> None:
    (ada,) = people.invite("Ada", days=0.5)
    people.house.clock.now = ada.rater.expires_at - timedelta(microseconds=1)
    assert read(people.house.db, ada.token, key=KEY) == ada.rater
    people.house.clock.now = ada.rater.expires_at
    error = refused(people, ada.token)
    assert error.code == "link_expired"
    assert error.message == "This link was valid until 2030-01-01 12:00 UTC."


def test_a_withdrawn_invitation_ends_the_conversation_under_way(people: Finals) -> None:
    ada, ben = people.invite("Ada", "Ben")
    under_way = people.chat("Ada", "ranker", ChatState.OPEN)
    rated = people.chat("Ada", "last", ChatState.RATED, enjoyment=3)
    of_ben = people.chat("Ben", "ranker", ChatState.OPEN)
    revoked = revoke(people.house.db, "spc", " Ada ", reason="asked to leave")
    assert (revoked.revoked_at, revoked.revoke_reason) == (
        people.house.clock.now,
        "asked to leave",
    )
    error = refused(people, ada.token)
    assert error.code == "link_revoked"
    assert "asked to leave" not in error.message + error.hint
    assert read(people.house.db, ben.token, key=KEY).name == "Ben"
    with people.house.db.read() as session:
        rows = {row.id: row for row in session.query(Conversation)}
    assert (rows[under_way].state, rows[under_way].void_code) == (ChatState.VOID, "revoked")
    assert rows[rated].state is ChatState.RATED
    assert rows[of_ben].state is ChatState.OPEN

    people.house.clock.tick(days=1)
    assert revoke(people.house.db, "spc", "Ada", reason="again") == revoked
    with pytest.raises(UsageError, match="has invited no 'Eve'") as caught:
        revoke(people.house.db, "spc", "Eve", reason="who")
    assert caught.value.code == "unknown_rater"


def test_the_listing_counts_what_was_rated_and_what_is_under_way(people: Finals) -> None:
    people.invite("Ada", "Ben")
    people.chat("Ada", "ranker", ChatState.RATED, enjoyment=3)
    people.chat("Ada", "last", ChatState.VOID, void_code="idle")
    people.chat("Ada", "seq2seq", ChatState.RATING)
    lines = listing(people.house.db, "spc")
    assert [(line.view.name, line.rated, line.under_way) for line in lines] == [
        ("Ada", 1, 1),
        ("Ben", 0, 0),
    ]


@pytest.mark.parametrize(
    ("names", "arguments", "code", "reason"),
    [
        (["Ada"], {}, "rater_exists", "has invited 'Ada' already"),
        ([" Ada "], {}, "rater_exists", "has invited 'Ada' already"),
        (["Eve", "Eve "], {}, "bad_rater", "'Eve' is given twice"),
        ([""], {}, "bad_rater", "is not one line of 1 to 80"),
        (["x" * 81], {}, "bad_rater", "is not one line"),
        (["a\nb"], {}, "bad_rater", "is not one line"),
        (["a\x1b[2Jb"], {}, "bad_rater", "is not one line"),
        (["a\u202eb"], {}, "bad_rater", "is not one line"),
        (["--raters"], {}, "bad_rater", "does not begin with -"),
        (["Eve"], {"share": 0}, "bad_rater", "the share is 0"),
        (["Eve"], {"share": 1001}, "bad_rater", "the share is 1001"),
        (["Eve"], {"days": 0.0}, "bad_rater", "cannot be valid for 0 days"),
        (["Eve"], {"days": -1.0}, "bad_rater", "cannot be valid for -1 days"),
        (["Eve"], {"days": float("nan")}, "bad_rater", "cannot be valid for nan days"),
        (["Eve"], {"days": float("inf")}, "bad_rater", "cannot be valid for inf days"),
        (["Eve"], {"days": 367.0}, "bad_rater", "give up to 366"),
        ([f"r{n}" for n in range(1001)], {}, "bad_rater", "invite at most 1000"),
    ],
)
def test_a_wrong_invitation_invites_nobody(
    people: Finals, names: list[str], arguments: dict[str, float], code: str, reason: str
) -> None:
    people.invite("Ada")
    rules = {"share": None, "days": 14.0} | arguments
    with pytest.raises(UsageError) as caught:
        invite(people.house.db, "spc", names=["Zoe", *names], key=KEY, **rules)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert reason in caught.value.message
    assert [line.view.name for line in listing(people.house.db, "spc")] == ["Ada"]


def test_nobody_is_invited_before_the_opening_or_after_the_close(people: Finals) -> None:
    opening.close_evaluation(people.house.db, "spc", reason="all in")
    with pytest.raises(UsageError) as caught:
        people.invite("Ada")
    assert caught.value.code == "human_closed"
    with pytest.raises(UsageError) as caught:
        invitations.invite(people.house.db, "spx", names=["Ada"], share=None, days=1, key=KEY)
    assert caught.value.code == "human_not_open"


def test_closing_ends_what_is_under_way_and_keeps_what_was_answered(people: Finals) -> None:
    people.invite("Ada", "Ben")
    talking = people.chat("Ada", "ranker", ChatState.OPEN)
    answered = people.chat("Ben", "ranker", ChatState.RATING, enjoyment=4)
    opening.close_evaluation(people.house.db, "spc", reason="all in")
    with people.house.db.read() as session:
        first = session.get_one(Conversation, talking)
        second = session.get_one(Conversation, answered)
    assert (first.state, first.void_code) == (ChatState.VOID, "closed")
    assert second.state is ChatState.RATED
