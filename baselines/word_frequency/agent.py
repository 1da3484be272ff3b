"""Words by how often they were said: the perplexity of knowing nothing of the talk."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import Context, Vocabulary
from harness.errors import UsageError
from harness.text import SPECIALS

CHECKPOINT = Path(__file__).parent / "checkpoint"


class FrequencyAgent:
    """Gives each official word its count in training replies plus one."""

    def __init__(self, folder: Path = CHECKPOINT) -> None:
        try:
            stored = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(
                f"no checkpoint in {folder}; make one with "
                f"`rostrum train word-frequency --data DIR --out {folder}`",
                code="no_checkpoint",
            ) from None
        self.counts: dict[str, int] = dict(stored)
        self.vocabulary: Vocabulary | None = None
        self.row = np.zeros(0, dtype=np.float32)

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        """The same weights in every row; the specials get none."""
        if self.vocabulary is not vocabulary:
            self.vocabulary, self.row = vocabulary, self._row(vocabulary)
        return np.tile(self.row, (len(contexts), 1))

    def _row(self, vocabulary: Vocabulary) -> NDArray[np.float32]:
        words = vocabulary.words[len(SPECIALS) :]
        counts = [0] * len(SPECIALS) + [self.counts.get(word, 0) + 1 for word in words]
        return np.array(counts, dtype=np.float32)
