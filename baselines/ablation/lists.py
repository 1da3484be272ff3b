"""Lists of N candidates that hold one another: those of a short list stand in every longer one.

A set's own lists are taken as far as they go, but for distractors that equal another text of the
list after normalisation; what is missing is drawn from replies of its other talks, as ConvAI2 drew
its lists. So the rank among 100 is never better than among 20, and sizes can be compared.
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.data.candidates import borrowed
from harness.dialogue import Dialogue, Example
from harness.text import normalise


def listed(
    dialogues: Sequence[Dialogue], *, counts: Sequence[int], seed: int
) -> dict[int, tuple[Dialogue, ...]]:
    """The dialogues with lists of each of these lengths, the reply last.

    `UsageError` where the set has too few different replies for the longest.
    """
    longest = max(counts)
    drawn = borrowed(lambda: enumerate(dialogues), count=max(longest, 2), seed=seed)
    full = [_longest(own, more, count=longest) for own, more in zip(dialogues, drawn, strict=True)]
    return {count: tuple(_cut(one, count=count) for one in full) for count in counts}


def _longest(own: Dialogue, more: Dialogue, *, count: int) -> Dialogue:
    examples = zip(own.examples, more.examples, strict=True)
    return replace(own, examples=tuple(_joined(one, other, count=count) for one, other in examples))


def _joined(own: Example, more: Example, *, count: int) -> Example:
    """The distractors of both, the own first, none twice and none a reply."""
    seen = {normalise(text) for text in own.replies}
    distractors: list[str] = []
    for text in (*own.candidates, *more.candidates):
        plain = normalise(text)
        if plain not in seen:
            seen.add(plain)
            distractors.append(text)
    return replace(own, candidates=tuple(distractors[: count - 1]))


def _cut(dialogue: Dialogue, *, count: int) -> Dialogue:
    examples = (
        replace(one, candidates=(*one.candidates[: count - 1], one.replies[0]))
        for one in dialogue.examples
    )
    return replace(dialogue, examples=tuple(examples))
