"""A reply of the training set drawn by lot: what each metric gives for chance.

The lot hangs on the context's id alone, so the same question gets the same answer again, alone
or in a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from harness import Context, stored
from harness.errors import UsageError

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class Learned:
    """What may be said, and the seed of the lots."""

    replies: tuple[str, ...]
    seed: int = 0


class RandomAgent:
    """Draws replies and scores."""

    def __init__(self, learned: Learned) -> None:
        self.replies, self.seed = learned.replies, learned.seed

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The agent of a checkpoint."""
        learned = stored.read(Learned, folder, baseline="random-reply")
        if not learned.replies:
            raise UsageError(f"{folder} holds no reply to draw from; train again with other data")
        return cls(learned)

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """A training reply each."""
        return [self.replies[self._lot(one, "") % len(self.replies)] for one in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """A random number from 0 to 1 for each text; equal texts are worth the same."""
        return [
            [self._lot(context, text) / 2**64 for text in row]
            for context, row in zip(contexts, candidates, strict=True)
        ]

    def _lot(self, context: Context, text: str) -> int:
        """A number below 2**64 that a context and a text have drawn."""
        drawn = f"{self.seed}\0{context.id}\0{text}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(drawn, digest_size=8).digest())


def make_agent() -> RandomAgent:
    """The agent, as the track files start it."""
    return RandomAgent.load(CHECKPOINT)
