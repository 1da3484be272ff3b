"""One word after another: greedy search and sampling, all contexts together.

Rows that have ended leave the batch.
"""

from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from harness.torch.generation.decoder import Decoder, S
from harness.torch.generation.options import SAMPLING, Hypothesis, SearchOptions, Task
from harness.torch.generation.rules import Rules
from harness.torch.generation.sampling import draw, uniforms


def stepwise(
    decoder: Decoder[S], state: S, *, task: Task, options: SearchOptions
) -> list[Hypothesis]:
    """One reply for each row of the state, by `options.inference`."""
    rules, chance = Rules(options, task), _chance(task, options)
    rows = _Rows.begin(state, task)
    found: list[Hypothesis | None] = [None] * len(task)
    while len(rows.whose):
        likely, rows.state = decoder.step(rows.read, rows.state)
        allowed = rules.apply(likely, rows.said, rows.whose)
        if chance is None:
            tokens = allowed.argmax(1)
        else:
            tokens = draw(allowed, chance[rows.whose, rows.said.shape[1]], options)
        rows.total = rows.total + allowed.gather(1, tokens[:, None])[:, 0]
        ended = tokens == task.end
        rows.hand_over(ended, found, options)
        rows.go_on(decoder, tokens, (~ended).nonzero()[:, 0])
    return [one for one in found if one is not None]


@dataclass
class _Rows(Generic[S]):
    """The rows that have not ended."""

    state: S
    whose: Tensor  # [R], the context of each
    read: Tensor  # [R], the token to read next
    said: Tensor  # [R, t]
    total: Tensor  # [R], ln p so far

    @classmethod
    def begin(cls, state: S, task: Task) -> "_Rows[S]":
        whose = torch.arange(len(task), device=task.device)
        said = torch.zeros((len(task), 0), dtype=torch.long, device=task.device)
        read = torch.full((len(task),), task.start, device=task.device)
        total = torch.zeros(len(task), dtype=torch.float64, device=task.device)
        return cls(state, whose, read, said, total)

    def hand_over(
        self, ended: Tensor, found: list[Hypothesis | None], options: SearchOptions
    ) -> None:
        """Write down the replies that have just ended."""
        if not ended.any():
            return
        penalty = options.penalty(self.said.shape[1] + 1)
        ends = zip(
            self.whose[ended].tolist(),
            self.said[ended].tolist(),
            self.total[ended].tolist(),
            strict=True,
        )
        for context, tokens, total in ends:
            found[context] = Hypothesis(tuple(tokens), total, total / penalty)

    def go_on(self, decoder: Decoder[S], tokens: Tensor, going: Tensor) -> None:
        """Keep the rows that go on, having said `tokens`."""
        if len(going) < len(tokens):
            self.whose, self.total = self.whose[going], self.total[going]
            self.said, tokens = self.said[going], tokens[going]
            if len(going):
                self.state = decoder.reorder(self.state, going)
        self.read, self.said = tokens, torch.cat([self.said, tokens[:, None]], dim=1)


def _chance(task: Task, options: SearchOptions) -> Tensor | None:
    if options.inference not in SAMPLING or not len(task):
        return None
    drawn = uniforms(task.keys, seed=options.seed, count=options.max_length + 1)
    return drawn.to(task.device)
