"""The human protocol: what is packaged, what a file may change, and the form that is frozen."""

import hashlib
import json

import pytest

from harness.errors import UsageError
from leaderboard.competition import Human
from leaderboard.human.protocol import loads, parse

HUMAN = Human(minimum_turns=5, reply_seconds=25)


def test_the_packaged_protocol_asks_on_the_scale_of_2018_and_names_its_numbers() -> None:
    found = parse(None, human=HUMAN)
    assert found.enjoyment_question == "How much did you enjoy talking to this partner?"
    assert found.enjoyment_labels == ("Not at all", "A little", "Somewhat", "A lot")
    assert (found.minimum_turns, found.reply_seconds) == (5, 25)
    assert (found.maximum_turns, found.wait_seconds, found.idle_seconds) == (20, 180, 600)
    assert (found.text_limit, found.ratings, found.share) == (600, 10, 10)
    instructions = " ".join(found.instructions)
    assert "at least this many messages: 5. You can write up to 20." in instructions
    assert "may be a computer program" in instructions
    assert "Do not write anything real about yourself" in instructions
    assert "{" not in found.dumps()[1:]


def test_the_frozen_form_is_canonical_and_named_by_its_bytes() -> None:
    found = parse('schema = 1\ntitle = "Schön"', human=HUMAN)
    text = found.dumps()
    document = json.loads(text)
    assert text == json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    assert '"title":"Schön"' in text
    assert document["reply_seconds"] == 25
    assert found.sha256 == hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert loads(text) == found
    assert loads(text).sha256 == found.sha256


def test_the_same_rules_freeze_to_the_same_hash_however_they_are_written() -> None:
    one = parse("schema = 1\nshare = 3\nratings = 4", human=HUMAN)
    other = parse("# a remark\nratings=4\nshare=3\nschema=1\nminimum_turns=5", human=HUMAN)
    assert one.sha256 == other.sha256
    assert parse(None, human=HUMAN).sha256 != one.sha256


def test_the_packaged_protocol_has_not_changed_unnoticed() -> None:
    """Whoever changes a word or a number changes what raters of the next lock are told."""
    assert parse(None, human=Human()).sha256 == (
        "9037c227d730154cbafab07993adacdfb5c86ed13ff3e76ec9869ee6425f4b74"
    )


def test_a_file_replaces_what_it_gives_and_nothing_else() -> None:
    found = parse('schema = 1\nminimum_turns = 2\nthanks = "Danke."', human=HUMAN)
    packaged = parse(None, human=HUMAN)
    assert (found.minimum_turns, found.thanks) == (2, "Danke.")
    assert found.title == packaged.title
    assert found.reply_seconds == 25


def test_a_long_minimum_raises_the_maximum_that_nobody_gave() -> None:
    assert parse(None, human=Human(minimum_turns=30)).maximum_turns == 30
    with pytest.raises(UsageError, match="minimum_turns is 30, more than maximum_turns, 20"):
        parse("schema = 1\nmaximum_turns = 20", human=Human(minimum_turns=30))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema = 1\nminimum_turn = 3", "key 'minimum_turn' is unknown; did you mean 'minimum_tu"),
        ("schema = 1\n[rules]\nshare = 1", "the key 'rules' is unknown"),
        ("share = 3", "schema is None; this version reads 1"),
        ("schema = 2", "schema is 2"),
        ("schema = 1\nschema = 1", "it is not TOML"),
        ("schema = 1\nshare = 0", "share is 0; it must be a whole number from 1 to 1000"),
        ("schema = 1\nshare = true", "share is True"),
        ("schema = 1\nratings = 2.5", "ratings is 2.5"),
        ("schema = 1\nidle_seconds = 86401", "from 1 to 86400"),
        ("schema = 1\nexclude_revoked = 1", "exclude_revoked is 1; it must be true or false"),
        ('schema = 1\nenjoyment_labels = ["bad", "good"]', "enjoyment_labels are 2; give 4"),
        ("schema = 1\nenjoyment_labels = 4", "enjoyment_labels must be a list"),
        ("schema = 1\ninstructions = []", "instructions must be a list of 1 to 30 texts"),
        ('schema = 1\ninstructions = ["", "b"]', "instructions, number 1, must be a text"),
        ('schema = 1\ntitle = "a\\u001bb"', "title must be one line without control"),
        ('schema = 1\ntitle = "a {persona}"', "{persona} in a text names no rule; known: minimum"),
        (f'schema = 1\nthanks = "{"x" * 1001}"', "thanks must be a text of at most 1000"),
    ],
)
def test_a_wrong_file_is_refused_by_the_key_that_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, human=HUMAN)
    assert caught.value.code == "bad_protocol"
    assert caught.value.message.startswith("human protocol: ")
    assert reason in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema":1}'])
def test_a_damaged_frozen_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="human protocol"):
        loads(text)
