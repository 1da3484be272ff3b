"""From the model's words to the official dictionary's."""

import torch
from model import Lexicon
from torch import Tensor

from harness import Vocabulary
from harness.text import SPECIALS
from harness.torch.words import UNKNOWN, Words

LEAST = 1e-9  # of the mass; a zero on a true word would make the whole perplexity infinite


class Columns:
    """Where each official word stands in the model's distribution.

    Words that the model lacks share what it gives to the unknown word, and may be copied; the
    specials get nothing.
    """

    def __init__(self, words: Words, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        official = vocabulary.words[len(SPECIALS) :]
        self.lexicon = Lexicon(words, official)
        self.order = torch.tensor(self.lexicon.places(official), dtype=torch.long)
        lacking = torch.tensor([word not in words.index for word in official], dtype=torch.float32)
        self.share = lacking / max(1.0, float(lacking.sum()))

    def official(self, distribution: Tensor) -> Tensor:
        """Rows over the lexicon as rows over the dictionary `[B, V]`, each of sum 1."""
        rows = distribution[:, self.order] + distribution[:, UNKNOWN, None] * self.share
        rows = rows.clamp(min=LEAST)
        rows = rows / rows.sum(1, keepdim=True)
        return torch.nn.functional.pad(rows, (len(SPECIALS), 0))
