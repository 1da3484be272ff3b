"""One reply to everything, made of common words: what F1 gives for saying nothing.

On ConvAI2 such a constant beat every entrant's F1; a board that shows it is easier to read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness import Context, stored

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class Learned:
    """What train.py chose."""

    reply: str


class ConstantAgent:
    """Says the words that train.py chose."""

    def __init__(self, learned: Learned) -> None:
        self.reply = learned.reply

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The agent of a checkpoint."""
        return cls(stored.read(Learned, folder, baseline="constant-words"))

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The same words every time."""
        return [self.reply for _ in contexts]


def make_agent() -> ConstantAgent:
    """The agent, as the track files start it."""
    return ConstantAgent.load(CHECKPOINT)
