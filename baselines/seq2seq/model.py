"""A sequence-to-sequence model: LSTMs, attention over talk and persona, a gate that copies.

One encoder reads the end of the talk and each persona sentence in both directions. At each word
of the reply the decoder attends over all of its states (Luong et al. 2015, "general"). The next
word is one of the vocabulary or, through a gate, a copy of one that was heard (See et al. 2017).
The embeddings of input and output are one (Press & Wolf 2017), and the output's bias starts at
the words' log frequency, so that no step is spent on learning which words are common.

Shapes: B contexts, R rows of replies, S words heard (talk, then persona), T reply words, N of
them real, V words of the vocabulary, E embedding, H states, L layers.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.torch.batch import Batch, present
from harness.torch.generation.decoder import TorchGeneratorModel
from harness.torch.words import PAD

LEAST = torch.finfo(torch.float32).tiny
"""A probability whose logarithm is still a number; what nobody said has a copy of zero."""


@dataclass(frozen=True)
class Shape:
    """The shape of the model, as stored in config.json; `size` is even: half looks each way.

    `kind` historical is the model of `historical.py`, which never copies.
    """

    kind: Literal["modern", "historical"] = "modern"
    embedding: int = 192
    size: int = 256
    layers: int = 1
    dropout: float = 0.2
    copy: bool = True


@dataclass(frozen=True)
class Heard:
    """Encoded contexts: words heard and where they are real, what is attended over, a start."""

    words: Tensor  # [B, S]
    real: Tensor  # [B, S]
    states: Tensor  # [B, S, H]
    start: Tensor  # [B, L, 2 H], the decoder's first hidden and cell


class Seq2Seq(TorchGeneratorModel[Heard, Tensor]):
    """Encodes contexts once, then decodes any number of words; its cache is `[R, L, 2 H]`."""

    compiled: ClassVar[tuple[str, ...]] = ("output",)

    def __init__(self, words: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        wide, size = shape.embedding, shape.size
        self.embedding = nn.Embedding(words, wide)
        self.ahead = nn.LSTM(wide, size // 2, batch_first=True)
        self.back = nn.LSTM(wide, size // 2, batch_first=True)
        self.start = nn.Linear(size, 2 * size * shape.layers)
        self.decoder = nn.LSTM(wide, size, shape.layers, batch_first=True)
        self.ask = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, wide)
        self.bias = nn.Parameter(torch.zeros(words))
        if shape.copy:
            self.point = nn.Linear(2 * size, size, bias=False)
            self.gate = nn.Linear(2 * size, 1)
        self.dropout = nn.Dropout(shape.dropout)
        nn.init.normal_(self.embedding.weight, std=wide**-0.5)

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors of unit scale; as rows of the output layer the same vectors are small."""
        vectors: Tensor = self.dropout(self.embedding(ids) * math.sqrt(self.shape.embedding))
        return vectors  # [..., E]

    # The encoder.

    def encode(self, batch: Batch) -> Heard:
        """Read the talk, and each memory by itself."""
        states, last = self.read(batch.text_vec, batch.text_lengths)
        words = batch.text_vec
        if batch.memory_vecs is not None:
            there = present(batch.memory_vecs)  # [B, M]; many contexts have none: read no padding
            rows = batch.memory_vecs[there]  # [n, L]
            read, _ = self.read(rows, rows.ne(PAD).sum(1))
            known = read.new_zeros(*batch.memory_vecs.shape, read.shape[-1])  # [B, M, L, H]
            known[there] = read
            states = torch.cat([states, known.flatten(1, 2)], dim=1)
            words = torch.cat([words, batch.memory_vecs.flatten(1)], dim=1)
        start = torch.tanh(self.start(last)).view(len(batch), self.shape.layers, -1)
        return Heard(words, words.ne(PAD), states, start)

    def read(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What both directions make of each word `[B, S, H]`, and of the whole `[B, H]`.

        Each direction meets the real words first and the padding on the right afterwards: no
        packing, which on a CPU has no fast kernel in bf16.
        """
        vectors = self.embed(ids)
        ahead, _ = self.ahead(vectors)
        back = flipped(self.back(flipped(vectors, lengths))[0], lengths)
        last = ahead[torch.arange(len(ids), device=ids.device), (lengths - 1).clamp(min=0)]
        whole = torch.cat([last, back[:, 0]], dim=-1)
        return torch.cat([ahead, back], dim=-1).float(), whole

    # The decoder.

    def decode(self, tokens: Tensor, encoded: Heard, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Read reply words; the state and what it attends to, side by side, `[R, T, 2 H]`."""
        before = encoded.start if cache is None else cache
        hidden, cell = before.transpose(0, 1).chunk(2, dim=-1)  # [L, R, H] each
        states, after = self.decoder(self.embed(tokens), (hidden.contiguous(), cell.contiguous()))
        found = self.look(self.ask(states), encoded) @ encoded.states
        return torch.cat([states, found], dim=-1), torch.cat(after, dim=-1).transpose(0, 1).float()

    def look(self, asked: Tensor, encoded: Heard) -> Tensor:
        """The attention of questions `[R, T, H]` over the words heard, `[R, T, S]`."""
        match = (asked @ encoded.states.transpose(1, 2)).float()
        return match.masked_fill(~encoded.real[:, None], -1e4).softmax(-1)

    # Words.

    def output(self, hidden: Tensor) -> Tensor:
        """The logits of the vocabulary's words."""
        wanted = self.dropout(torch.tanh(self.combine(hidden)))  # [..., E]
        return F.linear(wanted, self.embedding.weight, self.bias)

    def next_words(self, hidden: Tensor, encoded: Heard) -> Tensor:
        """ln of the vocabulary's share and the copies' together, `[R, V]`."""
        own = super().next_words(hidden, encoded)
        if not self.shape.copy:
            return own
        words, gate = encoded.words, self.gate(hidden)  # [R, S], [R, 1]
        look = self.look(self.point(hidden[:, None]), encoded)[:, 0]  # [R, S]
        copies = torch.zeros_like(own).scatter_add_(1, words, look).gather(1, words)
        own = own + F.logsigmoid(-gate)
        return own.scatter_(1, words, joined(own.gather(1, words), copies, gate))

    def given_words(self, hidden: Tensor, encoded: Heard, labels: Tensor, real: Tensor) -> Tensor:
        """The same for words that are given, `[N]`: copies are found, not scattered."""
        own = super().given_words(hidden, encoded, labels, real)
        if not self.shape.copy:
            return own
        same = labels[:, :, None] == encoded.words[:, None]  # [R, T, S]
        copies = (self.look(self.point(hidden), encoded) * same).sum(-1)[real]
        gate = self.gate(hidden[real])[:, 0].float()
        return joined(own + F.logsigmoid(-gate), copies, gate)


def joined(own: Tensor, copies: Tensor, gate: Tensor) -> Tensor:
    """ln (p(own) + p(gate) copies), of a logarithm, a probability and log odds."""
    return torch.logaddexp(own, F.logsigmoid(gate) + copies.clamp(min=LEAST).log())


def flipped(values: Tensor, lengths: Tensor) -> Tensor:
    """Each row `[B, S, ...]` with its real part in the opposite order; the padding stays."""
    places = torch.arange(values.shape[1], device=values.device)[None]
    order = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    return values.gather(1, order[:, :, None].expand_as(values))
