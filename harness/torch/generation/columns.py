"""From a distribution over a model's words to one over the official dictionary."""

import torch
from torch import Tensor

from harness.text import SPECIALS, Vocabulary
from harness.torch.words import UNKNOWN, Words

LEAST = 1e-9
"""The least share of a word; a zero on a true word would make the whole perplexity infinite."""


class Columns:
    """Where each official word stands in the model's distribution.

    Words that the model lacks share what it gives to the unknown word. The specials get nothing,
    and neither do words of the model that the dictionary lacks.
    """

    def __init__(self, words: Words, vocabulary: Vocabulary, *, device: torch.device) -> None:
        self.words, self.vocabulary = words, vocabulary
        official = vocabulary.words[len(SPECIALS) :]
        self.order = torch.tensor(words.numbers(official), dtype=torch.long, device=device)
        lacking = (self.order == UNKNOWN).to(torch.float32)
        self.share = torch.where(lacking > 0, 1 / lacking.sum().clamp(min=1), 1.0)

    def official(self, distribution: Tensor) -> Tensor:
        """Rows `[R, words of the model]` as float32 rows `[R, official words]`, each of sum 1."""
        rows = (distribution.float()[:, self.order] * self.share).clamp(min=LEAST)
        rows = rows / rows.sum(1, keepdim=True)
        return torch.nn.functional.pad(rows, (len(SPECIALS), 0))
