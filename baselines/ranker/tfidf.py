"""TF-IDF: what is rare and said on both sides; nothing is trained, words are only counted.

A context is its last turn and a share of its persona; a text is the set of its words, each by its
inverse document frequency, and two texts are compared by their cosine.
Shapes: B contexts, C candidates, L words of a text, V words.
"""

import math
from collections import Counter
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.torch.batch import Batch, Ids
from harness.torch.ranker import RankerModel
from harness.torch.words import PAD, UNKNOWN


class TfIdf(RankerModel):
    """Scores replies by the rare words that they share with the context."""

    idf: Tensor  # [V]

    def __init__(self, words: int, *, share: float = 1.0) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("idf", torch.zeros(words))

    def count(self, texts: Iterable[Ids]) -> None:
        """Learn how rare words are from texts; marks and unknown words weigh nothing."""
        rows = list(texts)
        seen = Counter(word for row in rows for word in set(row))
        for word, count in seen.items():
            self.idf[word] = math.log(len(rows) / count) if word > UNKNOWN else 0.0

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        """Cosines `[B, C]`; candidates `[C, L]` or `[B, C, L]`."""
        question = self.unit(batch.text_vec)
        if batch.memory_vecs is not None:
            question = question + self.share * self.unit(batch.memory_vecs.flatten(1))
        words = once(vectors)
        weighted = question * self.idf  # [B, V]
        if words.dim() == 2:
            shared = F.embedding_bag(words, weighted.T.contiguous(), mode="sum").T
        else:
            shared = weighted.gather(1, words.flatten(1)).view(words.shape).sum(-1)
        lengths: Tensor = torch.linalg.vector_norm(self.idf[words], dim=-1)
        return shared / lengths.clamp(min=1e-6)

    def unit(self, ids: Tensor) -> Tensor:
        """Texts `[B, L]` as vectors of length one over all words, `[B, V]`."""
        bags = self.idf.new_zeros(len(ids), len(self.idf)).scatter_(1, ids, 1.0) * self.idf
        return F.normalize(bags, dim=-1)


def once(ids: Tensor) -> Tensor:
    """Ids `[..., L]` with each word once, in the place of the others padding."""
    ordered = ids.sort(dim=-1).values
    repeated = F.pad(ordered[..., 1:] == ordered[..., :-1], (1, 0))
    return ordered.masked_fill(repeated, PAD)
