"""From ln p of a model's words to a distribution over the official dictionary."""

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
        self.order = torch.tensor(words.numbers(vocabulary.words), dtype=torch.long, device=device)
        lacking = (self.order == UNKNOWN).to(torch.float32)
        lacking[: len(SPECIALS)] = 0
        self.share = torch.where(lacking > 0, 1 / lacking.sum().clamp(min=1), 1.0)

    def official(self, likely: Tensor) -> Tensor:
        """Rows of ln p `[R, words of the model]` as float32 rows of p `[R, official words]`.

        Each of sum 1.
        """
        rows = likely.float().index_select(1, self.order).exp_()  # ten times [:, order]'s speed
        rows = rows.mul_(self.share).clamp_(min=LEAST)
        rows[:, : len(SPECIALS)] = 0
        return rows.div_(rows.sum(1, keepdim=True))
