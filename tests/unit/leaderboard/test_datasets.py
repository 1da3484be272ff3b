"""Data sets: in and out unchanged, named without being told, not exchanged under scores."""

import hashlib

import pytest
from house import TOML, House
from sqlalchemy import select

from harness.data import jsonl
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import Vocabulary
from leaderboard import competition, datasets
from leaderboard.db.engine import Database
from leaderboard.db.models import DataSet


def talk(name: str, *replies: str) -> Dialogue:
    examples = tuple(
        Example(partner=(f"hello {name} ☃",), replies=(reply,), candidates=("no .", reply))
        for reply in replies
    )
    return Dialogue(id=name, persona=("i like\u2028owls .",), examples=examples)


TRAIN = [talk("a", "yes , i do", "good bye"), talk("b", "hi\u0085there")]
TEST = [talk("t", "canary reply")]


def test_dialogues_come_back_as_they_went_in(db: Database) -> None:
    stored = datasets.store(db, "spc", "train", TRAIN)
    assert (stored.dialogues, stored.examples, stored.visibility) == (2, 3, "public")
    assert datasets.dialogues(db, "spc", "train") == TRAIN


def test_the_content_is_stored_packed_and_its_hash_is_of_the_canonical_bytes(
    db: Database,
) -> None:
    datasets.store(db, "spc", "test", TEST, hidden=True)
    with db.read() as session:
        row = session.scalars(select(DataSet)).one()
    assert b"canary" not in row.content
    assert row.sha256 == jsonl.digest(TEST)


def test_a_hidden_set_is_named_by_a_salted_hash(db: Database) -> None:
    competition.load(db, TOML.replace('"spc"', '"other"'))
    stored = datasets.store(db, "spc", "test", TEST, hidden=True)
    elsewhere = datasets.store(db, "other", "test", TEST, hidden=True)
    with db.read() as session:
        row = session.scalars(select(DataSet).where(DataSet.competition_id == "spc")).one()
    salted = hashlib.sha256(bytes.fromhex(row.nonce) + bytes.fromhex(row.sha256)).hexdigest()
    assert datasets.hidden_name(db, "spc", "test") == stored.name == salted
    assert elsewhere.name != stored.name
    assert jsonl.digest(TEST) not in repr(datasets.listing(db, "spc"))
    assert datasets.is_hidden(db, "spc", "test")


def test_a_public_set_is_named_by_its_hash(db: Database) -> None:
    datasets.store(db, "spc", "valid", TRAIN)
    assert datasets.hidden_name(db, "spc", "valid") == jsonl.digest(TRAIN)
    assert not datasets.is_hidden(db, "spc", "valid")


def test_the_dictionary_is_made_of_train_and_valid(db: Database) -> None:
    valid = [talk("v", "unheard words")]
    datasets.store(db, "spc", "train", TRAIN)
    datasets.store(db, "spc", "valid", valid)
    stored = datasets.make_dictionary(db, "spc")
    words = datasets.vocabulary(db, "spc")
    assert words == Vocabulary.build(TRAIN, valid)
    assert stored.entries == len(words)
    assert "canary" not in words


def test_another_train_set_removes_the_dictionary_of_the_former(db: Database) -> None:
    datasets.store(db, "spc", "train", TRAIN)
    datasets.store(db, "spc", "valid", TRAIN)
    datasets.make_dictionary(db, "spc")
    datasets.store(db, "spc", "train", TRAIN)
    assert len(datasets.vocabulary(db, "spc")) > 4
    datasets.store(db, "spc", "train", TEST)
    with pytest.raises(UsageError) as caught:
        datasets.vocabulary(db, "spc")
    assert "rostrum admin data dictionary" in caught.value.hint


def test_personas_are_those_of_valid_unless_there_are_others(db: Database) -> None:
    datasets.store(db, "spc", "valid", TRAIN)
    assert datasets.dialogues(db, "spc", "personas") == TRAIN
    datasets.store(db, "spc", "personas", TEST)
    assert datasets.dialogues(db, "spc", "personas") == TEST


def test_a_missing_set_names_the_command_that_imports_it(db: Database) -> None:
    with pytest.raises(UsageError, match="has no test set") as caught:
        datasets.dialogues(db, "spc", "test")
    assert "data import FILE --role test" in caught.value.hint


def test_under_scores_a_set_is_not_exchanged(house: House) -> None:
    datasets.store(house.db, "spc", "test", TEST, hidden=True)
    datasets.store(house.db, "spc", "test", TRAIN, hidden=True)
    house.score("owls", f1=0.2)
    datasets.store(house.db, "spc", "test", TRAIN, hidden=True)
    with pytest.raises(UsageError, match="incomparable"):
        datasets.store(house.db, "spc", "test", TEST, hidden=True)
    with pytest.raises(UsageError, match="incomparable"):
        datasets.store(house.db, "spc", "test", TRAIN, hidden=False)
    assert datasets.dialogues(house.db, "spc", "test") == TRAIN


@pytest.mark.parametrize("role", ["train", "valid", "personas"])
def test_what_participants_see_cannot_be_hidden(db: Database, role: str) -> None:
    with pytest.raises(UsageError, match="is public"):
        datasets.store(db, "spc", role, TRAIN, hidden=True)


def test_a_test_set_needs_the_candidates_that_hits_ranks(db: Database) -> None:
    bare = Dialogue(id="x", examples=(Example(partner=("hi",), replies=("yes",)),))
    with pytest.raises(UsageError, match="dialogue x, example 1 has 0 candidates"):
        datasets.store(db, "spc", "test", [bare], hidden=True)
    competition.load(db, TOML.replace("[tracks.hits]\ncandidates = 2\n", ""))
    datasets.store(db, "spc", "test", [bare], hidden=True)


@pytest.mark.parametrize(
    ("competition_id", "role", "text"),
    [
        ("spc", "tset", "known: train, valid, test"),
        ("spc", "dictionary", "made from train and valid"),
        ("cps", "train", "known: spc"),
    ],
)
def test_unknown_names_list_the_known(
    db: Database, competition_id: str, role: str, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        datasets.store(db, competition_id, role, TRAIN)


def test_damage_in_the_database_is_noticed(db: Database) -> None:
    datasets.store(db, "spc", "train", TRAIN)
    with db.write() as session:
        session.scalars(select(DataSet)).one().sha256 = "0" * 64
    with pytest.raises(UsageError, match="damaged"):
        datasets.dialogues(db, "spc", "train")
