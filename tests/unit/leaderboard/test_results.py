"""Results and export of a small evaluation whose figures can be worked out by hand."""

import hashlib
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import humanworld
import pytest
from finals import Finals, finals
from house import House
from sqlalchemy import event

import harness
from harness.errors import UsageError
from leaderboard import conversations
from leaderboard.db.models import Attempt
from leaderboard.human import export
from leaderboard.human.invitations import revoke
from leaderboard.human.protocol import loads
from leaderboard.human.results import ResultLine, results
from leaderboard.human.stages import ChatState

NAMES = ("Ada Lovelace", "Ben Trovato", "Cleo Patra", "Dora Idle")


def evaluation(house: House, *, protocol: str | None = None) -> Finals:
    """Four finalists; one cannot chat, one is withheld in the end, one has a single rater."""
    people = finals(house, protocol=protocol)
    people.invite(*NAMES)
    ada, ben, cleo, _dora = NAMES
    rated = ChatState.RATED
    people.chat(ada, "ranker", rated, enjoyment=4, detected=True)
    people.chat(ada, "ranker", rated, enjoyment=3, detected=False)
    people.chat(ben, "ranker", rated, enjoyment=2, detected=None)
    people.chat(cleo, "ranker", rated, enjoyment=1, detected=True)
    people.chat(ben, "ranker", ChatState.RATING)
    people.chat(ben, "ranker", ChatState.OPEN)
    people.chat(ada, "ranker", ChatState.VOID, void_code="model_error", void_detail="late")
    people.chat(ada, "ranker", ChatState.VOID, void_code="idle")
    people.chat(ada, "seq2seq", rated, enjoyment=4, detected=True)
    people.chat(ben, "last", rated, enjoyment=2)
    people.chat(ben, "last", rated, enjoyment=2, detected=False)
    people.chat(cleo, "last", rated, enjoyment=None)
    revoke(house.db, "spc", cleo, reason="a script, not a person")
    with house.db.write() as session:
        session.get_one(Attempt, people.finalist("seq2seq").attempt_id).withheld = "a copied model"
    return people


def line(people: Finals, team: str) -> ResultLine:
    found = results(people.house.db, "spc")
    assert found is not None
    return next(line for line in found.lines if line.team == team)


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """The SQL that is sent meanwhile."""
    seen: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(house.db.engine, "before_cursor_execute", keep)
    yield seen
    event.remove(house.db.engine, "before_cursor_execute", keep)


def test_an_unlocked_competition_has_no_results(house: House) -> None:
    assert results(house.db, "spc") is None


def test_before_the_first_conversation_nothing_is_estimated(house: House) -> None:
    people = finals(house)
    found = results(house.db, "spc")
    assert found is not None
    assert [one.team for one in found.lines] == ["ranker", "mute", "seq2seq", "last"]
    assert (found.invited, found.raters, found.conversations) == (0, 0, 0)
    first = line(people, "ranker")
    assert (first.ratings, first.wanted, first.under_way, dict(first.voids)) == (0, 10, 0, {})
    assert (first.enjoyment, first.detected, first.served) == (None, None, None)


def test_the_figures_are_those_worked_out_by_hand(house: House) -> None:
    """Ada gave 4 and 3, Ben 2. Resamples of two raters have the means 3.5, 3 and 2."""
    people = evaluation(house)
    ranker = line(people, "ranker")
    assert (ranker.ratings, ranker.under_way) == (3, 2)
    assert ranker.enjoyment is not None
    assert (ranker.enjoyment.value, ranker.enjoyment.n, ranker.enjoyment.clusters) == (3.0, 3, 2)
    assert (ranker.enjoyment.low, ranker.enjoyment.high) == (2.0, 3.5)
    assert ranker.detected is not None
    assert (ranker.detected.k, ranker.detected.n, ranker.detected.value) == (1, 2, 0.5)
    assert ranker.detected.low == pytest.approx(0.0945, abs=1e-4)
    assert ranker.detected.high == pytest.approx(0.9055, abs=1e-4)
    assert ranker.served is not None
    assert (ranker.served.k, ranker.served.n) == (5, 6)
    assert ranker.voids == {"idle": 1, "model_error": 1}


def test_what_is_withheld_or_passed_over_has_no_ratings(house: House) -> None:
    people = evaluation(house)
    withheld, mute = line(people, "seq2seq"), line(people, "mute")
    assert (withheld.withheld, withheld.ratings) == ("a copied model", 0)
    assert (withheld.enjoyment, withheld.detected) == (None, None)
    assert withheld.served is not None
    assert (withheld.served.k, withheld.served.n) == (1, 1)
    assert mute.passed_over == "its agent cannot chat: respond gave no reply in the preflight"
    assert (mute.ratings, mute.enjoyment, mute.served) == (0, None, None)


def test_one_rater_gives_a_mean_without_an_interval_and_missing_is_not_zero(house: House) -> None:
    last = line(evaluation(house), "last")
    assert last.ratings == 2
    assert last.enjoyment is not None
    assert (last.enjoyment.value, last.enjoyment.low, last.enjoyment.high) == (2.0, None, None)
    assert last.detected is not None
    assert (last.detected.k, last.detected.n) == (0, 1)


def test_a_protocol_may_keep_the_ratings_of_revoked_raters(house: House) -> None:
    people = evaluation(house, protocol="schema = 1\nexclude_revoked = false\nratings = 24")
    ranker = line(people, "ranker")
    assert ranker.enjoyment is not None
    assert (ranker.ratings, ranker.wanted, ranker.enjoyment.value) == (4, 24, 2.5)
    assert ranker.detected is not None
    assert (ranker.detected.k, ranker.detected.n) == (2, 3)


def test_the_sums_say_who_took_part(house: House) -> None:
    evaluation(house)
    found = results(house.db, "spc")
    assert found is not None
    assert (found.invited, found.raters, found.conversations) == (3, 3, 12)
    assert found.title == "A small competition"
    assert found.opened_at == found.moment == house.clock.now
    assert found.closed_at is None


def test_more_conversations_ask_the_database_no_more_often(house: House) -> None:
    people = evaluation(house)
    with statements(house) as few:
        results(house.db, "spc")
    for _ in range(20):
        people.chat("Ada Lovelace", "last", ChatState.RATED, enjoyment=1)
    with statements(house) as many:
        results(house.db, "spc")
    assert len(many) == len(few) <= 8


def exported(house: House) -> list[dict[str, Any]]:
    return list(export.records(house.db, "spc"))


def test_the_export_opens_with_the_protocol_and_the_finalists(house: House) -> None:
    people = evaluation(house)
    first, *rest = exported(house)
    assert first["type"] == "protocol"
    assert hashlib.sha256(first["text"].encode()).hexdigest() == first["sha256"]
    assert loads(first["text"]) == people.locked.protocol
    assert (first["competition"], first["harness"]) == ("spc", harness.__version__)
    assert (first["locked_at"], first["closed_at"]) == ("2030-01-01T00:00:00Z", None)
    finalists = rest[:4]
    assert [one["type"] for one in finalists] == ["finalist"] * 4
    assert finalists[0] == {
        "type": "finalist",
        "place": 1,
        "team": "ranker",
        "entry": "owl-1",
        "submission": 1,
        "commit": "c" * 40,
        "track": "f1",
        "image": "sha256:1",
        "environment": None,
        "sandbox": "bubblewrap",
        "passed_over": None,
        "withheld": None,
    }
    assert finalists[2]["withheld"] == "a copied model"


def test_every_conversation_is_followed_by_its_judgement(house: House) -> None:
    evaluation(house)
    rest = exported(house)[5:]
    kinds = [(one["type"], one.get("id", one.get("conversation"))) for one in rest]
    assert kinds[:4] == [
        ("conversation", 1),
        ("judgement", 1),
        ("conversation", 2),
        ("judgement", 2),
    ]
    conversation, judgement = rest[:2]
    assert (conversation["rater"], conversation["finalist"], conversation["state"]) == (
        "r1",
        1,
        "rated",
    )
    assert conversation["partner_persona"] == ["i keep owls ."]
    assert conversation["distractor"] == ["i row ."]
    assert conversation["partner_first"] is False
    turns = conversation["turns"]
    assert [turn["speaker"] for turn in turns] == ["rater", "partner"] * 4
    assert [turn["reply_seconds"] for turn in turns] == [None, 1.25] * 4
    assert turns[0]["text"] == "line 0 …\u2028\x1b[2J"
    assert judgement == {
        "type": "judgement",
        "conversation": 1,
        "finalist": 1,
        "rater": "r1",
        "enjoyment": 4,
        "enjoyment_at": "2030-01-01T00:00:00Z",
        "choice": 2,
        "detected": True,
        "detected_at": "2030-01-01T00:00:00Z",
        "valid": True,
    }


def test_what_is_missing_is_null_and_what_is_void_has_no_judgement(house: House) -> None:
    evaluation(house)
    records = exported(house)
    conversations = {one["id"]: one for one in records if one["type"] == "conversation"}
    judgements = {one["conversation"]: one for one in records if one["type"] == "judgement"}
    assert sorted(conversations) == list(range(1, 13))
    assert sorted(judgements) == [1, 2, 3, 4, 5, 9, 10, 11, 12]
    half = judgements[3]
    assert (half["enjoyment"], half["choice"], half["detected"], half["detected_at"]) == (
        2,
        None,
        None,
        None,
    )
    nothing = judgements[5]
    assert (nothing["enjoyment"], nothing["enjoyment_at"], nothing["valid"]) == (None, None, False)
    late = conversations[7]
    assert (late["void_code"], late["void_detail"], late["void_blame"]) == (
        "model_error",
        "late",
        "model",
    )
    assert conversations[1]["void_code"] is None
    assert [number for number, one in judgements.items() if one["valid"]] == [1, 2, 3, 10, 11]


def test_what_counts_is_the_same_in_results_and_export(house: House) -> None:
    people = evaluation(house)
    judgements = [one for one in exported(house) if one["type"] == "judgement"]
    for team in ("ranker", "mute", "seq2seq", "last"):
        shown = line(people, team)
        counted = [one for one in judgements if one["valid"] and one["finalist"] == shown.place]
        assert len(counted) == shown.ratings
        if shown.enjoyment is not None:
            mean = sum(one["enjoyment"] for one in counted) / len(counted)
            assert mean == shown.enjoyment.value


def test_no_name_and_no_reason_about_a_rater_is_exported(house: House) -> None:
    evaluation(house)
    records = exported(house)
    text = json.dumps(records)
    for name in NAMES:
        assert name not in text
        assert name.split()[1] not in text
    assert "a script, not a person" not in text
    assert {one["rater"] for one in records if "rater" in one} == {"r1", "r2", "r3"}
    revoked = {one["rater"] for one in records if one.get("rater_revoked")}
    assert revoked == {"r3"}


def test_a_written_file_is_whole_private_and_one_record_a_line(
    house: House, tmp_path: Path
) -> None:
    evaluation(house)
    target = tmp_path / "out" / "people.jsonl"
    target.parent.mkdir()
    target.write_text("the old one")
    written = export.write(house.db, "spc", target)
    content = target.read_bytes()
    assert content.isascii()
    lines = content.decode("ascii").splitlines()
    assert len(lines) == written == 5 + 12 + 9
    assert [json.loads(text) for text in lines] == exported(house)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["people.jsonl"]


def test_a_failed_export_leaves_the_old_file_and_no_other(house: House, tmp_path: Path) -> None:
    evaluation(house)
    target = tmp_path / "out" / "people.jsonl"
    target.parent.mkdir()
    target.write_text("the old one")
    with pytest.raises(UsageError, match="competition spx is not locked"):
        export.write(house.db, "spx", target)
    assert target.read_text() == "the old one"
    assert [path.name for path in target.parent.iterdir()] == ["people.jsonl"]
    with pytest.raises(UsageError, match=r"gone/people.jsonl cannot be written: No such file"):
        export.write(house.db, "spc", tmp_path / "gone" / "people.jsonl")


def test_records_come_a_page_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation(house)
    whole = exported(house)
    monkeypatch.setattr(export, "PAGE", 5)
    with statements(house) as seen:
        records = export.records(house.db, "spc")
        list(islice(records, 6))
        early = len(seen)
        rest = list(records)
    assert [one["id"] for one in whole if one["type"] == "conversation"] == list(range(1, 13))
    assert whole[6:] == rest
    assert len(seen) > early


def test_what_two_people_did_from_link_to_thanks_stands_in_results_and_export(
    tmp_path: Path,
) -> None:
    """No row is made by hand here: link, claim, chat, both answers, a partner that falls silent."""
    world = humanworld.opened(tmp_path, finalists=1, raters=3)
    first = world.claim(0)
    world.rated(first, enjoyment=4, right=True)
    world.rated(world.claim(1), enjoyment=2, right=False)
    third = world.claim(2)
    humanworld.partner(world, third, None)
    world.say(third, "are you there ?")
    for _ in range(4):  # the worker is alive, its agent is not
        world.pass_(seconds=9)
        conversations.beat(world.db, {third: world.chats[third].fence})
    assert world.view(third).void_code == "model_error"

    found = results(world.db, world.competition_id)

    assert found is not None
    (line,) = found.lines
    assert line.enjoyment is not None
    assert (line.enjoyment.value, line.enjoyment.low, line.enjoyment.high) == (3.0, 2.0, 4.0)
    assert line.detected is not None
    assert line.served is not None
    assert (line.detected.k, line.detected.n, line.served.k, line.served.n) == (1, 2, 2, 3)
    assert (found.raters, found.conversations, line.ratings) == (3, 3, 2)
    records = list(export.records(world.db, world.competition_id))
    judgements = [one for one in records if one["type"] == "judgement"]
    assert [(one["enjoyment"], one["detected"], one["valid"]) for one in judgements] == [
        (4, True, True),
        (2, False, True),
    ]
    chats = [one for one in records if one["type"] == "conversation"]
    for chat, judgement in zip(chats, judgements, strict=False):
        partners_place = 1 if chat["partner_first"] else 2
        assert (judgement["choice"] == partners_place) is judgement["detected"]
    assert [turn["reply_seconds"] for turn in chats[0]["turns"]] == [None, 2.0] * 2
    assert (chats[2]["void_code"], chats[2]["void_detail"]) == ("model_error", "late")
    assert chats[2]["turns"][0]["text"] == "are you there ?"
