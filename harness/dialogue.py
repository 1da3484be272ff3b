"""The dialogue, as frozen values: what was said, by whom, and what an agent may see of it.

A `Dialogue` is the whole record, labels included, and never leaves the evaluator. A `Context` is
what an agent is given to answer one example: personas and the turns so far, no label.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Speaker = Literal["partner", "self"]

SILENCE = "__SILENCE__"
"""The prompt of a side that begins (ConvAI2's convention)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of one speaker; `self` is the side that the agent plays."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """Everything an agent may know when it answers one example, complete every time.

    `id` is opaque and stable for one example: an agent may cache by it, and learn nothing from it.
    `persona` is the agent's own, one sentence an item; `partner_persona` is usually empty.
    `turns` ends with the utterance to answer.
    """

    id: str
    persona: tuple[str, ...] = ()
    partner_persona: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One reply to predict: what the partner said since the last reply, and the answers.

    `partner` holds at least one utterance (`SILENCE` where the agent's side begins). `replies[0]`
    is the reply that was given and enters the history; further ones are alternative labels.
    `candidates`, where the set has them, contain `replies[0]`. `reward` is kept, never used.
    """

    partner: tuple[str, ...]
    replies: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    reward: str | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation with the persona of the side to predict; the unit of resampling."""

    id: str
    persona: tuple[str, ...] = ()
    partner_persona: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    def turns_before(self, index: int) -> tuple[Turn, ...]:
        """All that was said when example `index` is to be answered, oldest first."""
        return tuple(self._turns(index))

    def context(self, index: int, *, context_id: str) -> Context:
        """The label-free view of example `index`."""
        return Context(context_id, self.persona, self.partner_persona, self.turns_before(index))

    def _turns(self, index: int) -> Iterator[Turn]:
        for number, example in enumerate(self.examples[: index + 1]):
            for text in example.partner:
                yield Turn("partner", text)
            if number < index:
                yield Turn("self", example.replies[0])
