"""Decoders and models for the tests of generation: a table, a tiny LSTM, a tiny Transformer."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.torch.batch import Batch
from harness.torch.generation.decoder import TorchGeneratorModel
from harness.torch.generation.options import Hypothesis, SearchOptions, Task

START, END = 0, 1


@dataclass(frozen=True)
class Table:
    """A decoder whose next word hangs on the last two and on the context: `[B, V, V, V]`."""

    likely: Tensor
    steps: list[int]  # the rows of each step, for tests that count

    @classmethod
    def random(cls, seed: int, *, contexts: int = 1, words: int = 4, sharp: float = 2.0) -> "Table":
        drawn = torch.Generator().manual_seed(seed)
        logits = torch.randn((contexts, words, words, words), generator=drawn, dtype=torch.float64)
        return cls((sharp * logits).log_softmax(-1), [])

    @property
    def begin(self) -> Tensor:
        """The state of every context: itself, and the last word, `[B, 2]`."""
        count = len(self.likely)
        return torch.stack([torch.arange(count), torch.full((count,), START)], dim=1)

    def only(self, context: int) -> "Table":
        return Table(self.likely[context : context + 1], [])

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.steps.append(len(tokens))
        likely = self.likely[state[:, 0], state[:, 1], tokens]
        return likely, torch.stack([state[:, 0], tokens], dim=1)

    def reorder(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]

    def score(self, tokens: tuple[int, ...], *, context: int = 0) -> float:
        """ln p of a reply and its end, word by word."""
        before, last, total = START, START, 0.0
        for token in (*tokens, END):
            total += float(self.likely[context, before, last, token])
            before, last = last, token
        return total

    def every(self, options: SearchOptions, *, context: int = 0) -> list[Hypothesis]:
        """All replies that the lengths allow, the best first, by exhaustion."""
        words = [token for token in range(self.likely.shape[1]) if token not in (START, END)]
        found = [
            Hypothesis(said, total, total / options.penalty(length + 1))
            for length in range(options.min_length, options.max_length + 1)
            for said in product(words, repeat=length)
            for total in [self.score(said, context=context)]
        ]
        return sorted(found, key=lambda one: -one.score)


def task(count: int, *, context: Tensor | None = None, first: int = 0) -> Task:
    """Contexts named by their number, from `first`."""
    keys = [f"c{number}" for number in range(first, first + count)]
    return Task(keys, start=START, end=END, blocked=(START,), context=context)


@dataclass(frozen=True)
class Encoded:
    """What a tiny model attends over."""

    values: Tensor  # [B, S, H]
    real: Tensor  # [B, S]
    words: Tensor  # [B, S]


class TinyLSTM(TorchGeneratorModel[Encoded, tuple[Tensor, Tensor]]):
    """One LSTM layer with attention over the embedded text."""

    def __init__(self, words: int, *, size: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.combine = nn.Linear(2 * size, size)
        self.last = nn.Linear(size, words)

    def encode(self, batch: Batch) -> Encoded:
        return Encoded(self.embedding(batch.text_vec), batch.text_mask, batch.text_vec)

    def decode(
        self, tokens: Tensor, encoded: Encoded, cache: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if cache is None:
            heard = torch.tanh((encoded.values * encoded.real[:, :, None]).sum(1))
            cache = (heard, heard)
        before = (cache[0][None], cache[1][None])
        states, (hidden, cell) = self.lstm(self.embedding(tokens), before)
        match = states @ encoded.values.transpose(1, 2)
        look = match.masked_fill(~encoded.real[:, None], -1e4).softmax(-1)
        both = torch.cat([states, look @ encoded.values], dim=-1)
        return torch.tanh(self.combine(both)), (hidden[0], cell[0])

    def output(self, hidden: Tensor) -> Tensor:
        return self.last(hidden)


COPIED = 0.1


class TinyCopier(TinyLSTM):
    """A part of each next word is copied, from wherever the last hidden values point to."""

    def next_words(self, hidden: Tensor, encoded: Encoded) -> Tensor:
        own = super().next_words(hidden, encoded).exp() * (1 - COPIED)
        look = self.look(hidden[:, None], encoded)[:, 0]
        return own.scatter_add(1, encoded.words, look * COPIED).log()

    def given_words(self, hidden: Tensor, encoded: Encoded, labels: Tensor, real: Tensor) -> Tensor:
        own = super().given_words(hidden, encoded, labels, real).exp() * (1 - COPIED)
        same = labels[:, :, None] == encoded.words[:, None]
        return (own + (self.look(hidden, encoded) * same).sum(-1)[real] * COPIED).log()

    def look(self, hidden: Tensor, encoded: Encoded) -> Tensor:
        match = hidden @ encoded.values.transpose(1, 2)
        return match.masked_fill(~encoded.real[:, None], -1e4).softmax(-1)


class TinyTransformer(TorchGeneratorModel[Encoded, list[tuple[Tensor, Tensor]]]):
    """Pre-norm layers of self-attention with a cache of keys and values, and cross-attention."""

    def __init__(self, words: int, *, size: int = 16, layers: int = 2, heads: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.places = nn.Embedding(64, size)
        self.heads = heads
        self.own = nn.ModuleList(nn.Linear(size, 3 * size) for _ in range(layers))
        self.ask = nn.ModuleList(nn.Linear(size, size) for _ in range(layers))
        self.told = nn.ModuleList(nn.Linear(size, 2 * size) for _ in range(layers))
        self.wide = nn.ModuleList(
            nn.Sequential(nn.Linear(size, 4 * size), nn.ReLU(), nn.Linear(4 * size, size))
            for _ in range(layers)
        )

    def encode(self, batch: Batch) -> Encoded:
        return Encoded(self.embedding(batch.text_vec), batch.text_mask, batch.text_vec)

    def decode(
        self, tokens: Tensor, encoded: Encoded, cache: list[tuple[Tensor, Tensor]] | None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        read = 0 if cache is None else cache[0][0].shape[1]
        places = torch.arange(read, read + tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens) + self.places(places.clamp(max=63))
        causal = places[:, None] >= torch.arange(read + len(places), device=tokens.device)
        after = []
        for layer, (own, ask, told, wide) in enumerate(
            zip(self.own, self.ask, self.told, self.wide, strict=True)
        ):
            query, key, value = own(_norm(x)).chunk(3, dim=-1)
            if cache is not None:
                key = torch.cat([cache[layer][0], key], dim=1)
                value = torch.cat([cache[layer][1], value], dim=1)
            after.append((key, value))
            x = x + self._attend(query, key, value, causal[None, None])
            heard, said = told(encoded.values).chunk(2, dim=-1)
            x = x + self._attend(ask(_norm(x)), heard, said, encoded.real[:, None, None])
            x = x + wide(_norm(x))
        return _norm(x), after

    def output(self, hidden: Tensor) -> Tensor:
        return functional.linear(hidden, self.embedding.weight)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        parts = [x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (query, key, value)]
        return (
            functional.scaled_dot_product_attention(*parts, attn_mask=mask)
            .transpose(1, 2)
            .flatten(2)
        )


def _norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:])
