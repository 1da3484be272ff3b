"""The other side of a talk: the same words with speakers and personas exchanged.

In a dialogue one side is to be predicted. ConvAI2's train files hold each talk twice, once from
either side; this makes the second of the first.
"""

from collections.abc import Iterable

from harness.dialogue import SILENCE, Dialogue, Example, Speaker, Turn
from harness.errors import UsageError

OTHER = "/other"
"""What the id of the other side ends in; turning again takes it away."""


def both_sides(dialogue: Dialogue) -> tuple[Dialogue, Dialogue]:
    """The dialogue and its other side; `UsageError` if that side never speaks."""
    return dialogue, other_side(dialogue)


def other_side(dialogue: Dialogue) -> Dialogue:
    """The talk as the partner answered it, the two personas exchanged.

    Speech without anything heard since the own last words is prompted with `__SILENCE__`, so that
    several utterances in a row become several examples. What is said last has no reply and is
    left out; so are candidates, rewards and all replies but the first, which belong to one side.
    Turning twice gives the first dialogue back but for these, and without its last example.

    `UsageError`: the partner says nothing but `__SILENCE__`.
    """
    turns = [Turn(_OTHER[turn.speaker], turn.text) for turn in _spoken(dialogue)]
    examples = tuple(_examples(turns))
    if not examples:
        raise UsageError(f"the other side of the dialogue {dialogue.id[:60]!r} never speaks")
    return Dialogue(
        _turned(dialogue.id),
        persona=dialogue.partner_persona,
        partner_persona=dialogue.persona,
        examples=examples,
    )


_OTHER: dict[Speaker, Speaker] = {"self": "partner", "partner": "self"}


def _spoken(dialogue: Dialogue) -> Iterable[Turn]:
    """All that was really said, the last reply included."""
    for example in dialogue.examples:
        yield from (Turn("partner", text) for text in example.partner if text != SILENCE)
        yield Turn("self", example.replies[0])


def _examples(turns: Iterable[Turn]) -> Iterable[Example]:
    heard: list[str] = []
    for turn in turns:
        if turn.speaker == "partner":
            heard.append(turn.text)
        else:
            yield Example(tuple(heard) or (SILENCE,), (turn.text,))
            heard = []


def _turned(identifier: str) -> str:
    if identifier.endswith(OTHER):
        return identifier.removesuffix(OTHER)
    return identifier + OTHER
