"""The partner's last words, said back: what each metric gives for echoing.

A reply often takes up what was just said, so an echo shares words with it. Where this row comes
near a model, the model has learned little more than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness import Context, stored
from harness.agent import MAX_REPLY_BYTES
from harness.dialogue import SILENCE
from harness.metrics import f1

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class Learned:
    """What to say where the partner has said nothing."""

    opening: str


class RepeatingAgent:
    """Repeats the partner; prefers the candidate that shares most words with that."""

    def __init__(self, learned: Learned) -> None:
        self.opening = learned.opening

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The agent of a checkpoint."""
        return cls(stored.read(Learned, folder, baseline="repeat-partner"))

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """What the partner said last, as far as a reply may be long."""
        return [self._echo(context) for context in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The F1 of each candidate with what this agent would say."""
        return [
            [f1.measure(candidate, replies=[echo]) for candidate in row]
            for echo, row in zip(self.respond(contexts), candidates, strict=True)
        ]

    def _echo(self, context: Context) -> str:
        heard = [turn.text for turn in context.turns if turn.speaker == "partner"][-1:]
        said = heard[0] if heard and heard[0].strip() not in ("", SILENCE) else self.opening
        return said.encode("utf-8")[:MAX_REPLY_BYTES].decode("utf-8", "ignore")


def make_agent() -> RepeatingAgent:
    """The agent, as the track files start it."""
    return RepeatingAgent.load(CHECKPOINT)
