"""Words as numbers: a model's own vocabulary, and rows of ids as tensors.

A model's vocabulary is learned from its training set and is not the competition's dictionary;
`harness.text.Vocabulary` is that.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from harness.text import SPECIALS, split_words

PAD, START, END, UNKNOWN = 0, 1, 2, 3
"""The ids of `SPECIALS`."""


@dataclass(frozen=True)
class Words:
    """The words a model knows; a word's id is its place.

    The first four are `harness.text.SPECIALS`.
    """

    words: tuple[str, ...]
    index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {word: i for i, word in enumerate(self.words)})

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def build(cls, texts: Iterable[str], *, minimum: int = 1, extra: Sequence[str] = ()) -> "Words":
        """The words seen at least `minimum` times, the most frequent first, after the specials.

        `extra` are further marks of the model's own, placed after the specials.
        """
        counts = Counter(chain.from_iterable(map(split_words, texts)))
        known = [word for word, count in counts.items() if count >= minimum]
        reserved = (*SPECIALS, *extra)
        known = sorted(set(known).difference(reserved), key=lambda word: (-counts[word], word))
        return cls((*reserved, *known))

    def ids(self, text: str) -> list[int]:
        """The ids of a text's words, `UNKNOWN` for those the model does not know."""
        return self.numbers(split_words(text))

    def numbers(self, words: Iterable[str]) -> list[int]:
        """The ids of words that are already split."""
        return [self.index.get(word, UNKNOWN) for word in words]


def padded(rows: Sequence[Sequence[int]], *, minimum: int = 1) -> Tensor:
    """Rows of ids as one int64 tensor `[rows, longest]`, `PAD` on the right."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    width = max(minimum, int(lengths.max(initial=0)))
    values = np.full((len(rows), width), PAD, dtype=np.int64)
    ids = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    values[np.arange(width) < lengths[:, None]] = ids  # ten times a list of lists' speed
    return torch.from_numpy(values)
