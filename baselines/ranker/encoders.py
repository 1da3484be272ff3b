"""A text as one vector, by reading its words in order: what a bag of words cannot see.

Both encoders end in a projection that starts at zero: they begin as nothing and learn what to add
to the bag. Shapes: N texts, L words, D dimensions, n words of all texts together.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.torch.precision import attention
from harness.torch.words import PAD

PIECE = 64
"""Texts that are read side by side; they are of like length, so little of them is padding."""


def in_pieces(read: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """`read` of ids `[N, L]` as `[N, D]`, the longest texts first and each piece cut to its own."""
    lengths = ids.ne(PAD).sum(1)
    order = lengths.argsort(descending=True, stable=True)
    longest = lengths[order[::PIECE]].clamp(min=1).tolist()
    pieces = [
        read(ids[places, :length])
        for places, length in zip(torch.split(order, PIECE), longest, strict=True)
    ]
    return torch.cat(pieces)[order.argsort()]


def mean(states: Tensor, real: Tensor) -> Tensor:
    """The mean over the real words: `[N, L, D]` and bool `[N, L]` give `[N, D]`."""
    total = states.masked_fill(~real[..., None], 0.0).sum(1)
    return total / real.sum(1, keepdim=True).clamp(min=1)


class Lstm(nn.Module):
    """Layers of two LSTMs, one of which reads each text from its own last word backwards.

    Two modules a layer instead of one bidirectional: padded rows, which are three times as fast on
    a CPU as packed ones, would otherwise be read from their padding on.
    """

    def __init__(self, size: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        half = size // 2
        self.onward = nn.ModuleList(nn.LSTM(size, half, batch_first=True) for _ in range(layers))
        self.backward = nn.ModuleList(nn.LSTM(size, half, batch_first=True) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * half, size, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, words: Tensor, real: Tensor) -> Tensor:
        """Vectors of words `[N, L, D]`, bool `[N, L]`: `[N, D]`."""
        turned = _turned(real)[..., None]
        for onward, backward in zip(self.onward, self.backward, strict=True):
            words = self.dropout(words)
            after = backward(words.gather(1, turned.expand_as(words)))[0]  # [N, L, D / 2]
            words = torch.cat([onward(words)[0], after.gather(1, turned.expand_as(after))], -1)
        vectors: Tensor = self.out(self.dropout(mean(words, real)))
        return vectors


def _turned(real: Tensor) -> Tensor:
    """The places of each text's words from its last to its first, padding where it is `[N, L]`."""
    places = torch.arange(real.shape[1], device=real.device).expand_as(real)
    return torch.where(real, real.sum(1, keepdim=True) - 1 - places, places)


class Transformer(nn.Module):
    """Pre-norm blocks; all but attention is computed for real words only."""

    def __init__(self, size: int, *, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.places = nn.Embedding(MAX_PLACES, size)
        self.blocks = nn.ModuleList(
            Block(size, heads=heads, dropout=dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)
        self.out = nn.Linear(size, size, bias=False)
        nn.init.normal_(self.places.weight, std=0.02)
        nn.init.zeros_(self.out.weight)

    def forward(self, words: Tensor, real: Tensor) -> Tensor:
        """Vectors of words `[N, L, D]`, bool `[N, L]`: `[N, D]`."""
        places = torch.arange(words.shape[1], device=words.device).clamp(max=MAX_PLACES - 1)
        flat = (words + self.places(places))[real]  # [n, D]
        hidden = ~real[:, None, None]  # [N, 1, 1, L]
        mask = torch.zeros(hidden.shape, device=words.device).masked_fill(hidden, -1e4)
        for block in self.blocks:
            flat = block(flat, real, mask)
        vectors: Tensor = self.out(mean(spread(self.norm(flat), real), real))
        return vectors / math.sqrt(vectors.shape[1])  # at the scale of a bag, not of a norm


MAX_PLACES = 128
"""Places with an embedding of their own; later words share the last one."""


class Block(nn.Module):
    """Attention among a text's words, then two layers for each word."""

    def __init__(self, size: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(size), nn.LayerNorm(size)
        self.ask = nn.Linear(size, 3 * size)
        self.told = nn.Linear(size, size)
        self.up, self.down = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, real: Tensor, mask: Tensor) -> Tensor:
        """Real words `[n, D]` of texts whose shape is `real` `[N, L]`; `mask` `[N, 1, 1, L]`."""
        asked = spread(self.ask(self.first(x)), real)  # [N, L, 3D]
        query, key, value = (
            part.view(*real.shape, self.heads, -1).transpose(1, 2)
            for part in asked.chunk(3, dim=-1)
        )
        found = attention(query, key, value, mask=mask).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.told(found[real]))
        thought: Tensor = self.dropout(self.down(torch.relu(self.up(self.second(x)))))
        return x + thought


def spread(flat: Tensor, real: Tensor) -> Tensor:
    """Vectors of real words `[n, D]` in their places `[N, L, D]`, zero where padding is."""
    padded = flat.new_zeros((*real.shape, flat.shape[-1]))
    padded[real] = flat
    return padded
