"""The talks of ConvAI2's volunteers as dialogues and ratings."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data import convai_logs
from harness.data.tolerance import Tolerance
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError


def said(sender: str, text: str, score: object = None) -> dict[str, Any]:
    return {"sender_class": sender, "sender": "x", "text": text, "evaluation_score": score}


def talk(*dialog: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"dialog": list(dialog), "eval_score": None, "profile_match": "", **more}


def parse(*items: object, tolerance: Tolerance | None = None) -> list[convai_logs.Talk]:
    content = json.dumps(items).encode()
    return list(convai_logs.parse(content, tolerance=tolerance or Tolerance(), name="logs.json"))


def test_turns_that_do_not_alternate() -> None:
    (one,) = parse(
        talk(
            said("Bot", "hi"),
            said("Human", "hello"),
            said("Human", "who  are you?"),
            said("Human", " "),
            said("Bot", "me", 1),
            said("Bot", "just me"),
            said("Human", "bye"),
            bot_profile=["i am me .", ""],
            user_profile="i ski .\ni sing .",
        )
    )

    assert one.dialogue == Dialogue(
        "1",
        ("i am me .",),
        ("i ski .", "i sing ."),
        (
            Example(("__SILENCE__",), ("hi",)),
            Example(("hello", "who are you?"), ("me just me",), reward="1"),
        ),
    )
    assert (one.unanswered, one.blank) == (1, 1)
    assert (one.rating.bot_messages, one.rating.human_messages) == (3, 3)


def test_ratings_are_kept_of_every_talk() -> None:
    rated, silent = parse(
        talk(
            said("Human", "a"),
            said("Bot", "b"),
            eval_score=4,
            profile_match=0,
            start_time="2018-07-01",
            end_time=None,
            participant1_id=17,
            participant2_id="u",
        ),
        talk(said("Human", "anybody?"), eval_score=1, profile_match=1),
    )

    assert (rated.rating.eval_score, rated.rating.profile_match) == (4, 0)
    assert rated.rating.participants == ("17", "u")
    assert rated.rating.start_time == "2018-07-01"
    assert silent.dialogue is None
    assert (silent.rating.dialogue, silent.rating.eval_score) == (None, 1)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ([], "not an object"),
        ({}, "dialog is not a list"),
        (talk("x"), "message 1 is not an object"),  # type: ignore[arg-type]  # is refused
        (talk(said("Robot", "x")), "message 1: sender_class is neither Bot nor Human"),
        (talk({"sender_class": "Bot"}), "message 1: text is not text"),
        (talk(said("Bot", "\ud800")), "message 1: text holds half a surrogate pair"),
        (talk(said("Bot", "x", [1])), "message 1: evaluation_score is not a number"),
        (talk(eval_score=6), "eval_score is '6', not a whole number 1 to 5"),
        (talk(eval_score=True), "eval_score is 'True'"),
        (talk(profile_match=2), "profile_match is '2', not a whole number 0 to 1"),
        (talk(bot_profile=3), "bot_profile is not a list of sentences"),
        (talk(bot_profile=["a"] * 101), "bot_profile is not a list of sentences"),
        (talk(start_time="x" * 201), "start_time has more than 200 characters"),
        (talk(start_time=1.5), "start_time is not text"),
    ],
)
def test_a_bad_talk_is_refused_by_its_number(item: object, reason: str) -> None:
    good = talk(said("Bot", "hi"))
    with pytest.raises(UsageError) as refused:
        parse(good, item)
    assert refused.value.message.startswith(f"logs.json: talk 2: {reason}")

    (kept,) = parse(item, good, tolerance=Tolerance(1))
    assert kept.rating.talk == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[{]", r"logs\.json:1:3: not JSON"),
        (b"[\n\xff]", r"logs\.json:2: not UTF-8"),
        (b"[NaN]", r"logs\.json: not JSON: NaN"),
        (b"[" * 200_000, r"logs\.json: not JSON: nested too deeply"),
        (b"{}", r"logs\.json: not a list of talks"),
        (b"[]", r"logs\.json: not a list of talks"),
    ],
)
def test_what_is_no_list_of_talks_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(convai_logs.parse(content, tolerance=Tolerance(), name="logs.json"))


def test_a_file_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "logs.json"
    file.write_text(json.dumps([talk(said("Bot", "hi"))]))
    assert len(list(convai_logs.read(file, tolerance=Tolerance()))) == 1

    monkeypatch.setattr(convai_logs, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="more than 10 bytes"):
        convai_logs.read(file, tolerance=Tolerance())
    with pytest.raises(UsageError, match="cannot read"):
        convai_logs.read(tmp_path, tolerance=Tolerance())
