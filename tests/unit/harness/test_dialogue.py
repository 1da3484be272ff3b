"""What an agent may see of a dialogue."""

import dataclasses

import pytest

from harness.dialogue import SILENCE, Dialogue, Example, Turn

TALK = Dialogue(
    "1",
    ("i like tea .",),
    ("i am old .",),
    (
        Example((SILENCE,), ("hello", "other label"), ("no", "hello"), "9"),
        Example(("how are you ?", "still there ?"), ("fine",)),
        Example(("bye",), ("see you",)),
    ),
)


def test_history_holds_first_replies_only_and_no_later_turn() -> None:
    assert TALK.turns_before(2) == (
        Turn("partner", SILENCE),
        Turn("self", "hello"),
        Turn("partner", "how are you ?"),
        Turn("partner", "still there ?"),
        Turn("self", "fine"),
        Turn("partner", "bye"),
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_context_never_holds_its_reply_candidates_or_reward(index: int) -> None:
    context = TALK.context(index, context_id="opaque")
    texts = [turn.text for turn in context.turns]

    assert context.id == "opaque"
    assert (context.persona, context.partner_persona) == (("i like tea .",), ("i am old .",))
    assert texts[-1] == TALK.examples[index].partner[-1]
    for later in TALK.examples[index:]:
        assert set(later.replies).isdisjoint(texts)
    assert "other label" not in texts


def test_a_dialogue_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TALK.examples[0].replies = ()  # type: ignore[misc]  # the point of the test
