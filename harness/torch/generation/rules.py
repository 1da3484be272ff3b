"""What a reply may not say next: blocked words, ends too early or too late, repeated n-grams."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.errors import UsageError
from harness.torch.generation.options import SearchOptions, Task

NEVER = -math.inf
WORST = -1e30
"""ln p of an end that a rule forces and the model excludes: finite, so that sums stay ordered."""


@dataclass(frozen=True)
class Rules:
    """The rules of one search, applied to all rows at once."""

    options: SearchOptions
    task: Task

    def apply(self, likely: Tensor, said: Tensor, whose: Tensor) -> Tensor:
        """`likely` `[R, V]` with -infinity where a word may not follow `said` `[R, t]`.

        `whose` `[R]` is the context of each row. Where nothing else is left a reply may end,
        however short it is. `UsageError` where the model gave no numbers.
        """
        options, end = self.options, self.task.end
        length = said.shape[1]
        closing = likely[:, end].clone()
        if closing.isnan().any():  # a logit that is NaN makes its whole row so
            raise UsageError(
                "the model gives NaN where probabilities are expected: its weights are damaged or "
                "its training diverged; train again with a lower rate"
            )
        allowed = likely.clone()
        if length >= options.max_length:
            allowed.fill_(NEVER)
        else:
            allowed[:, list(self.task.blocked)] = NEVER
            _repeats(allowed, said, said, size=options.beam_block_ngram)
            if self.task.context is not None and options.beam_context_block_ngram:
                heard = self.task.context[whose]
                _repeats(allowed, said, heard, size=options.beam_context_block_ngram)
        allowed[:, end] = closing if length >= options.min_length else NEVER
        stuck = allowed.amax(1) == NEVER
        allowed[:, end] = torch.where(stuck, closing.clamp(min=WORST), allowed[:, end])
        return allowed


def _repeats(allowed: Tensor, said: Tensor, heard: Tensor, *, size: int) -> None:
    """Exclude, in place, each word that would complete an n-gram of `heard` `[R, h]`."""
    if size == 0 or heard.shape[1] < size or said.shape[1] < size - 1:
        return
    grams = heard.unfold(1, size, 1)  # [R, h - size + 1, size]
    begun = said[:, said.shape[1] - size + 1 :]  # [R, size - 1]
    match = (grams[:, :, :-1] == begun[:, None]).all(-1) & (grams[:, :, -1] >= 0)
    row, place = match.nonzero(as_tuple=True)
    allowed[row, grams[row, place, -1]] = NEVER
