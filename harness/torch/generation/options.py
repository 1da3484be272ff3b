"""How replies are searched for: typed options, in the field's names, and what is found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from harness.errors import UsageError
from harness.torch.options import at_least

Inference = Literal["greedy", "beam", "sample", "topk", "nucleus"]
SAMPLING: tuple[Inference, ...] = ("sample", "topk", "nucleus")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What a reply may be, and how one is found; a length counts words, without the end.

    `inference`: the likeliest word each time (greedy), the best of `beam_size` hypotheses (beam),
    or drawn from all words (sample), the `topk` likeliest (topk), or the fewest words that hold
    `topp` of the mass (nucleus: Holtzman et al. 2020), after division of the logarithms by
    `temperature`. `seed` with a context's id decides all draws for it.

    `beam_size` 1 is greedy search. `beam_length_penalty` is alpha in the score ln p / lp,
    lp = ((offset + length) / (offset + 1))^alpha with the end counted in the length: with
    `beam_length_offset` 5 equation 14 of Wu et al. 2016. The field's ((1 + length) / 6)^.65
    orders hypotheses as offset 1 does. alpha 0 does not favour any length. `n_best`: hypotheses
    that a beam returns. `beam_block_ngram`: no n words in a row occur twice in a reply;
    `beam_context_block_ngram`: nor once, if the context has them; 0 blocks nothing. Both hold for
    every kind of inference.
    """

    inference: Inference = "greedy"
    min_length: int = 1
    max_length: int = 24
    beam_size: int = 5
    beam_length_penalty: float = 0.65
    beam_length_offset: int = 5
    n_best: int = 1
    beam_block_ngram: int = 0
    beam_context_block_ngram: int = 0
    temperature: float = 1.0
    topk: int = 10
    topp: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("beam_size", "n_best", "topk", "max_length", "beam_length_offset"):
            at_least(f"search.{name}", getattr(self, name), 1)
        for name in ("min_length", "beam_block_ngram", "beam_context_block_ngram"):
            at_least(f"search.{name}", getattr(self, name), 0)
        at_least("search.max_length", self.max_length, self.min_length)
        if self.n_best > self.beam_size and self.inference == "beam":
            raise UsageError(
                f"search.n_best is {self.n_best}, but a beam of {self.beam_size} need not find so "
                "many; raise search.beam_size"
            )
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise UsageError(f"search.temperature is {self.temperature}; it must be above 0")
        if not 0 < self.topp <= 1:
            raise UsageError(f"search.topp is {self.topp}; it must be above 0 and at most 1")

    def penalty(self, length: int) -> float:
        """What ln p of a hypothesis of `length` tokens, the end counted, is divided by."""
        offset = self.beam_length_offset
        return float(((offset + length) / (offset + 1)) ** self.beam_length_penalty)

    def best_ahead(self, log_probability: float, *, read: int) -> float:
        """The highest score that a hypothesis of `read` tokens without an end can still reach.

        ln p only falls, and the penalty is monotone in the length: one of the two ends bounds it.
        """
        shortest, longest = self.penalty(read + 1), self.penalty(self.max_length + 1)
        return max(log_probability / shortest, log_probability / longest)


@dataclass(frozen=True)
class Hypothesis:
    """A reply that was found: its ids without start and end, ln p of them *and* the end.

    `score` is what a search ranks by: ln p over the length penalty.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float


@dataclass(frozen=True)
class Task:
    """What a batch of contexts asks of a search.

    `keys` name the contexts, one a row of the first state: what is drawn for a context hangs on
    its key and on nothing else. `blocked` ids are never said. `context` holds the contexts' words
    for n-gram blocking, `[B, S]`, -1 where nothing is.
    """

    keys: Sequence[str]
    start: int
    end: int
    blocked: tuple[int, ...] = ()
    context: Tensor | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.keys)
