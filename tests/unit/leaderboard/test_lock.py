"""The lock: when it is refused, what it fixes, and that it is made once."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from finals import AFTER, Finals, finals, scores
from house import TOML, House
from sqlalchemy import func, select, update

from harness.errors import SubmissionError, UsageError
from leaderboard import competition, datasets, ledger
from leaderboard.api.documents import board_document
from leaderboard.board import board
from leaderboard.db.models import Attempt, Competition
from leaderboard.db.people import Finalist, Lock
from leaderboard.human import opening
from leaderboard.human.protocol import parse
from leaderboard.lock import CANNOT_CHAT, LockMade, lock
from leaderboard.locks import expect_unlocked, finalist_attempts, locked


def refused(house: House, code: str, **arguments: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        lock(house.db, "spc", reason="done", **arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    with house.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Lock)) == 0
        assert session.scalar(select(func.count()).select_from(Finalist)) == 0
    return caught.value


def test_a_competition_is_locked_when_its_phase_is_over(house: House) -> None:
    scores(house)
    house.clock.now = AFTER
    house.clock.tick(seconds=-1)
    error = refused(house, "phase_open")
    assert error.message.endswith("phase test closes at 2030-01-01 00:00 UTC")
    assert "--early" in error.hint
    house.clock.tick(seconds=1)
    made = lock(house.db, "spc", reason="the phase is over")
    assert made.new
    assert (made.locked.at, made.locked.reason) == (AFTER, "the phase is over")
    assert made.locked == locked(house.db, "spc")


def test_a_phase_to_come_holds_the_lock_back_too(house: House) -> None:
    scores(house)
    later = (
        '[[phase]]\nname = "second"\nopens = 2031-01-01T00:00:00Z\ncloses = 2032-01-01T00:00:00Z\n'
    )
    competition.load(house.db, TOML.replace("[tracks.hits]", later + "[tracks.hits]"))
    house.clock.now = AFTER
    assert "a phase opens at 2031-01-01 00:00 UTC" in refused(house, "phase_open").message
    assert lock(house.db, "spc", reason="no second phase after all", early=True).new


def test_early_does_not_overtake_what_is_under_way(house: House) -> None:
    scores(house)
    for number in range(6):
        house.accept(f"late-{number}")
    running = house.run(house.accept("runner"))
    error = refused(house, "attempts_open", early=True)
    assert error.message == (
        "7 submissions are still under way: 6 of late-0 (received), 7 of late-1 (received), "
        "8 of late-2 (received), 9 of late-3 (received), 10 of late-4 (received) and 2 more"
    )
    assert "rostrum admin submissions cancel" in error.hint
    for attempt in range(6, 12):
        ledger.cancel(house.db, attempt, reason="late")
    assert (
        "1 submission is still under way: 12 of runner"
        in refused(house, "attempts_open", early=True).message
    )
    ledger.fail(house.db, running, SubmissionError("crashed"))
    assert lock(house.db, "spc", reason="now", early=True).new


def test_an_empty_board_and_one_of_baselines_alone_are_refused(house: House) -> None:
    assert "no ranked score on its test set" in refused(house, "no_finalist", early=True).message
    house.score("constant-words", baseline=True, f1=0.5)
    refused(house, "no_finalist", early=True)


def test_an_unknown_competition_is_named(house: House) -> None:
    with pytest.raises(UsageError, match="'spx' is unknown; known: spc"):
        lock(house.db, "spx", reason="done")


def test_a_wrong_protocol_leaves_no_lock(house: House) -> None:
    scores(house)
    refused(house, "bad_protocol", early=True, protocol_text="schema = 1\nrating = 3")


def test_the_finalists_are_those_of_the_board_in_its_order(house: House) -> None:
    competition.load(house.db, TOML + "[human]\nper_track = 1\n")
    scores(house)
    before = board(house.db, "spc")
    assert [row.team for row in before.rows if row.finalist] == ["ranker", "mute"]
    made = lock(house.db, "spc", reason="done", early=True).locked
    assert [(line.place, line.team, line.track) for line in made.finalists] == [
        (1, "ranker", "f1"),
        (2, "mute", "ppl"),
    ]
    assert [line.passed_over for line in made.finalists] == [None, CANNOT_CHAT]
    assert [line.chats for line in made.finalists] == [True, False]
    first = made.finalists[0]
    scored = house.attempt(first.attempt_id)
    assert (first.submission_id, first.entry, first.commit) == (1, "owl-1", "c" * 40)
    assert (first.image, first.environment) == (scored.image, scored.environment)
    assert first.sandbox == scored.sandbox == "bubblewrap"


def test_at_most_so_many_advance(house: House) -> None:
    competition.load(house.db, TOML + "[human]\nat_most = 3\n")
    scores(house)
    made = lock(house.db, "spc", reason="done", early=True).locked
    assert [line.team for line in made.finalists] == ["ranker", "mute", "seq2seq"]


def test_hits_chats_where_there_is_no_f1(house: House) -> None:
    made = finals(house)
    assert made.finalist("last").track == "hits"
    assert made.finalist("seq2seq").track == "f1"


def test_a_rerun_is_the_attempt_that_chats(house: House) -> None:
    """The board shows the latest scored attempt of a submission: the same one is locked."""
    scores(house)
    with house.db.write() as session:
        old = session.get_one(Attempt, 1)
        again = Attempt(
            **{
                column.key: getattr(old, column.key)
                for column in Attempt.__table__.columns
                if column.key != "id"
            }
        )
        again.image = "sha256:2"
        session.add(again)
        session.flush()
        session.execute(
            update(Attempt.metadata.tables["reports"])
            .where(Attempt.metadata.tables["reports"].c.attempt_id == 1)
            .values(attempt_id=again.id)
        )
        rerun = again.id
    made = lock(house.db, "spc", reason="done", early=True).locked
    assert (made.finalists[0].attempt_id, made.finalists[0].image) == (rerun, "sha256:2")


def test_a_second_lock_finds_the_first(house: House) -> None:
    made = finals(house)
    house.clock.tick(days=1)
    again = lock(house.db, "spc", reason="another", protocol_text="schema = 1\nshare = 1")
    assert not again.new
    assert again.locked == made.locked
    assert (again.locked.reason, again.locked.at) == ("the phase is over", AFTER)
    with house.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Finalist)) == 4


def test_the_protocol_is_frozen_with_every_number_in_it(house: House) -> None:
    competition.load(house.db, TOML + "[human]\nminimum_turns = 6\nreply_seconds = 12\n")
    made = finals(house, protocol='schema = 1\ntitle = "Ours"\nshare = 2').locked
    with house.db.write() as session:  # as if a later version read the file otherwise
        session.get_one(Competition, "spc").toml = TOML
    again = Finals(house).locked
    assert (again.protocol.title, again.protocol.share) == ("Ours", 2)
    assert (again.protocol.minimum_turns, again.protocol.reply_seconds) == (6, 12)
    assert again.protocol == made.protocol
    assert again.protocol_sha256 == made.protocol.sha256
    with house.db.read() as session:
        stored = session.get_one(Lock, "spc").protocol
    assert hashlib.sha256(stored.encode()).hexdigest() == again.protocol_sha256


def test_a_protocol_that_was_changed_in_the_database_is_noticed(house: House) -> None:
    made = finals(house)
    other = parse("schema = 1\nratings = 1", human=competition.get(house.db, "spc").human)
    with house.db.write() as session:
        session.get_one(Lock, "spc").protocol = other.dumps()
    with pytest.raises(UsageError, match="protocol of competition spc is damaged"):
        assert made.locked


def test_the_seal_of_a_hidden_set_is_opened(house: House) -> None:
    made = finals(house).locked
    (seal,) = made.seals
    name = hashlib.sha256(bytes.fromhex(seal.nonce) + bytes.fromhex(seal.sha256)).hexdigest()
    assert seal.role == "test"
    assert seal.name == name == datasets.hidden_name(house.db, "spc", "test")


def test_the_board_is_kept_as_it_was_published(house: House) -> None:
    scores(house)
    shown = board(house.db, "spc")
    lock(house.db, "spc", reason="done", early=True)
    with house.db.read() as session:
        kept = json.loads(session.get_one(Lock, "spc").board)
    assert kept == board_document(shown, None)
    assert [row["team"] for row in kept["rows"]][-1] == "constant-words"


def test_the_lock_is_what_other_modules_ask_for(house: House) -> None:
    with house.db.write() as session:
        expect_unlocked(session, "spc")
        assert finalist_attempts(session, "spc") is None
    made = finals(house)
    with house.db.read() as session:
        assert finalist_attempts(session, "spc") == {
            line.attempt_id for line in made.locked.finalists
        }
    with house.db.write() as session, pytest.raises(UsageError) as caught:
        expect_unlocked(session, "spc")
    assert caught.value.code == "locked"
    assert locked(house.db, "spx") is None


def test_what_is_withheld_after_the_lock_stays_a_finalist_and_does_not_chat(house: House) -> None:
    made = finals(house)
    with house.db.write() as session:
        session.get_one(Attempt, made.finalist("ranker").attempt_id).withheld = "a copied model"
    line = made.finalist("ranker")
    assert (line.place, line.withheld, line.chats) == (1, "a copied model", False)
    assert len(made.locked.finalists) == 4


def test_opening_needs_a_lock_and_somebody_who_can_chat(house: House) -> None:
    with pytest.raises(UsageError, match="competition spc is not locked") as caught:
        opening.open_evaluation(house.db, "spc")
    assert caught.value.code == "not_locked"
    scores(house)
    with house.db.write() as session:
        session.execute(update(Attempt).values(can_chat=False))
    lock(house.db, "spc", reason="done", early=True)
    with pytest.raises(UsageError, match="no finalist of competition spc can chat") as caught:
        opening.open_evaluation(house.db, "spc")
    assert caught.value.code == "no_finalist"


def test_the_evaluation_is_opened_once_and_closed_for_good(house: House) -> None:
    scores(house)
    lock(house.db, "spc", reason="done", early=True)
    with pytest.raises(UsageError) as caught:
        opening.close_evaluation(house.db, "spc", reason="no")
    assert caught.value.code == "human_not_open"
    with house.db.read() as session, pytest.raises(UsageError) as caught:
        opening.expect_open(session, "spc")
    assert (caught.value.code, caught.value.message) == (
        "human_not_open",
        "The conversations have not begun yet.",
    )

    opened = opening.open_evaluation(house.db, "spc")
    house.clock.tick(hours=1)
    assert opening.open_evaluation(house.db, "spc").opened_at == opened.opened_at
    with house.db.read() as session:
        assert opening.expect_open(session, "spc") == opened.protocol

    closed = opening.close_evaluation(house.db, "spc", reason="all in")
    house.clock.tick(hours=1)
    again = opening.close_evaluation(house.db, "spc", reason="another")
    assert (again.closed_at, again.close_reason) == (closed.closed_at, "all in")
    with house.db.read() as session, pytest.raises(UsageError) as caught:
        opening.expect_open(session, "spc")
    assert caught.value.code == "human_closed"
    with pytest.raises(UsageError, match="it cannot be opened again") as caught:
        opening.open_evaluation(house.db, "spc")
    assert caught.value.code == "human_closed"


def test_two_organizers_at_once_make_one_lock(house: House) -> None:
    scores(house)
    start = Barrier(2)

    def make(reason: str) -> LockMade:
        start.wait()
        return lock(house.db, "spc", reason=reason, early=True)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(make, ("one", "other"))

    assert sorted((one.new, other.new)) == [False, True]
    assert one.locked == other.locked
    assert one.locked.reason == ("one" if one.new else "other")
