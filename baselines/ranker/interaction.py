"""What shows only when a reply meets its context: codes that replies ask, and a second look.

Shapes: B contexts, C candidates, P parts of a context, K codes, k candidates that are looked at
twice, L words of a text, D dimensions.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from encoders import Block, mean, spread
from torch import Tensor, nn

from harness.torch.batch import present
from harness.torch.ranker import products
from harness.torch.words import PAD


@dataclass(frozen=True)
class Heard:
    """A context as its reader left it: one vector, and the parts that it was made of."""

    vector: Tensor  # [B, D], of length one
    parts: Tensor  # [B, P, D], words of the question and memories
    there: Tensor  # bool [B, P]


class Codes(nn.Module):
    """Humeau et al. 2020: each code draws its own vector from a context, each reply asks them.

    What they add to the cosine begins at zero.
    """

    def __init__(self, size: int, *, count: int) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(count, size) * size**-0.5)
        self.found = nn.Linear(size, size, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())
        self.share = nn.Parameter(torch.zeros(()))
        nn.init.eye_(self.found.weight)

    def forward(self, heard: Heard, encodings: Tensor) -> Tensor:
        """Replies `[C, D]` or `[B, C, D]`: `[B, C]`, between -share and share."""
        units = F.normalize(heard.parts, dim=-1)
        match = torch.einsum("kd,bpd->bkp", F.normalize(self.codes, dim=-1), units)
        match = (match * self.sharpness.exp()).masked_fill(~heard.there[:, None], -1e4)
        drawn = F.normalize(self.found(match.softmax(-1) @ heard.parts), dim=-1)  # [B, K, D]
        like = torch.stack([products(code, encodings) for code in drawn.unbind(1)])  # [K, B, C]
        asked = (like * self.sharpness.exp()).softmax(0)
        return self.share * (asked * like).sum(0)


class SecondLook(nn.Module):
    """A cross-encoder: reads each of the k best replies together with its context.

    The others keep their places behind them. A Transformer over the words of reply and question
    and the memories, each of these one vector; what it adds begins at zero.
    """

    def __init__(self, size: int, *, best: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.best = best
        self.sides = nn.Embedding(2, size)  # reply, context
        self.blocks = nn.ModuleList(
            Block(size, heads=heads, dropout=dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)
        self.out = nn.Linear(size, 1, bias=False)
        nn.init.normal_(self.sides.weight, std=0.02)
        nn.init.zeros_(self.out.weight)

    def forward(self, scores: Tensor, heard: Heard, vectors: Tensor, table: Tensor) -> Tensor:
        """Scores `[B, C]` with what is added to the best; `vectors` `[C, L]` or `[B, C, L]`."""
        if vectors.dim() == 3:  # a candidate of padding is none
            scores = scores.masked_fill(~present(vectors), torch.finfo(scores.dtype).min)
        best = scores.detach().topk(min(self.best, scores.shape[1]), dim=1).indices  # [B, k]
        rows = torch.arange(len(best), device=best.device)[:, None]
        replies = vectors[best] if vectors.dim() == 2 else vectors[rows, best]  # [B, k, L]
        added = self.read(replies, heard, table).float()
        behind = added.min(dim=1, keepdim=True).values.expand_as(scores)
        return scores + behind.scatter(1, best, added)

    def read(self, replies: Tensor, heard: Heard, table: Tensor) -> Tensor:
        """What is added to each reply `[B, k, L]`: `[B, k]`."""
        count, ids = replies.shape[1], replies.flatten(0, 1)  # [B k, L]
        ids = ids[:, : max(1, int(ids.ne(PAD).sum(1).max()))]
        words = F.embedding(ids, table) + self.sides.weight[0]
        parts = (heard.parts + self.sides.weight[1]).repeat_interleave(count, 0)
        real = torch.cat([ids.ne(PAD), heard.there.repeat_interleave(count, 0)], 1)
        hidden = ~real[:, None, None]
        mask = torch.zeros(hidden.shape, device=ids.device).masked_fill(hidden, -1e4)
        flat = torch.cat([words, parts], 1)[real]  # words and parts of all rows
        for block in self.blocks:
            flat = block(flat, real, mask)
        states = spread(self.norm(flat), real)[:, : ids.shape[1]]
        added: Tensor = self.out(mean(states, ids.ne(PAD)))
        return added.view(-1, count)
