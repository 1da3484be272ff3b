"""The other side of each talk: what the partner said is a reply as well, to learn from.

A talk that its set tells from both sides already is not turned again.
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.data.both_sides import other_side
from harness.data.twins import sides, twins
from harness.dialogue import SILENCE, Context, Dialogue


def both(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """The dialogues, and the other sides of those that have no twin among them.

    The partner's persona is not known, and the own one would be taken for it: a side that was
    turned has none.
    """
    found = twins([sides(dialogue) for dialogue in dialogues])
    turned = (
        replace(other_side(dialogue), persona=(), partner_persona=())
        for dialogue, theirs in zip(dialogues, found, strict=True)
        if not theirs and any(text != SILENCE for one in dialogue.examples for text in one.partner)
    )
    return [*dialogues, *turned]


def tells_nothing(context: Context) -> bool:
    """Whether there is nothing to reply to: no persona, and silence."""
    return not context.persona and all(turn.text == SILENCE for turn in context.turns)
