"""Words by how often they were said: the perplexity of knowing nothing of the talk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness import Context, Vocabulary, stored
from harness.text import SPECIALS

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class Learned:
    """How often each word stands in the training replies."""

    counts: Mapping[str, int]


class FrequencyAgent:
    """Gives each official word its count in training replies plus one."""

    def __init__(self, learned: Learned) -> None:
        self.counts = learned.counts
        self.vocabulary: Vocabulary | None = None
        self.row = np.zeros(0, dtype=np.float32)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The agent of a checkpoint."""
        return cls(stored.read(Learned, folder, baseline="word-frequency"))

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        """The same weights in every row; the specials get none."""
        if self.vocabulary is not vocabulary:
            self.vocabulary, self.row = vocabulary, self._row(vocabulary)
        return np.tile(self.row, (len(contexts), 1))

    def _row(self, vocabulary: Vocabulary) -> NDArray[np.float32]:
        words = vocabulary.words[len(SPECIALS) :]
        counts = [0] * len(SPECIALS) + [max(0, self.counts.get(word, 0)) + 1 for word in words]
        return np.array(counts, dtype=np.float32)


def make_agent() -> FrequencyAgent:
    """The agent, as the track file starts it."""
    return FrequencyAgent.load(CHECKPOINT)
