"""A dual encoder: the last turn asks, persona and earlier turns are remembered, cosine decides.

After Mazare et al. 2018, section 4: separate encoders of context and reply over shared words, and
the persona as a memory that is read once, with a residual. The question finds the memories that
are like it, adds what it finds, and is compared to each reply. An LSTM or a Transformer adds to
the bags of question and reply what the order of their words says.

Shapes: B contexts, M memories, C candidates, N texts, L words of a text, V words, D dimensions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from encoders import Lstm, Transformer, in_pieces
from interaction import Codes, Heard, SecondLook
from torch import Tensor, nn

from harness.torch.batch import Batch, present
from harness.torch.ranker import RankerModel, products
from harness.torch.words import PAD

PERSONA, PARTNER, SELF = 0, 1, 2
"""Kinds of memories."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a ranker, as stored in config.json.

    `dropout` of words, `inner_dropout` in what reads their order, `layers` and `heads` of it.
    `poly`: codes that replies ask, 0 for none. `rerank`: the best so many are looked at twice, 0
    for none. `share`: how much of TF-IDF's context is the persona.
    """

    encoder: Literal["tfidf", "bow", "lstm", "transformer"] = "bow"
    size: int = 192
    dropout: float = 0.4
    layers: int = 2
    heads: int = 4
    inner_dropout: float = 0.2
    poly: int = 0
    rerank: int = 0
    share: float = 1.0


class Ranker(RankerModel):
    """Scores replies by the cosine of a context and a reply.

    `marks` are the ids that head what the partner and this side have said.
    """

    compiled: ClassVar[tuple[str, ...]] = ("weigh",)

    def __init__(self, words: int, shape: Shape, *, marks: tuple[int, int]) -> None:
        super().__init__()
        size = shape.size
        self.marks, self.dropout = marks, shape.dropout
        self.embedding = nn.Embedding(words, size)
        self.hidden = nn.Linear(size, size)
        self.weight = nn.Parameter(torch.zeros(words, 1))  # log of how much a word counts
        self.question = nn.Linear(size, size, bias=False)
        self.reply = nn.Linear(size, size, bias=False)
        self.seek = nn.Linear(size, size, bias=False)
        self.found = nn.Linear(size, size, bias=False)
        self.kind = nn.Embedding(3, size)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())  # of the memory's softmax
        self.temperature = nn.Parameter(torch.tensor(10.0).log())  # of the loss
        self.asking, self.replying = reader(shape), reader(shape)
        self.codes = Codes(size, count=shape.poly) if shape.poly else None
        self.second = _second_look(shape) if shape.rerank else None
        nn.init.normal_(self.embedding.weight, std=size**-0.5)
        nn.init.zeros_(self.kind.weight)
        for layer in (self.question, self.reply, self.seek, self.found):
            nn.init.eye_(layer.weight)
        self._kept: tuple[tuple[bool, bool], Tensor] | None = None

    def encode_candidates(self, vectors: Tensor) -> Tensor:
        """Replies `[N, L]` as vectors of length one `[N, D]`."""
        return F.normalize(self.read(vectors, self.reply, self.replying), dim=-1)

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        """Scores `[B, C]`: cosines, sharpened by a learned temperature."""
        assert encodings is not None
        heard = self.hear(batch)
        scores = products(heard.vector, encodings)
        if self.codes is not None:
            scores = scores + self.codes(heard, encodings)
        scores = scores * self.temperature.exp().clamp(max=100.0)
        if self.second is not None:
            scores = self.second(scores.float(), heard, vectors, self.states())
        return scores

    def hear(self, batch: Batch) -> Heard:
        """The question with what it finds among the memories."""
        question = self.read(batch.text_vec, self.question, self.asking)  # [B, D]
        memories = batch.memory_vecs
        if memories is None:
            memories = batch.text_vec.new_full((len(batch), 1, 1), PAD)
        there = present(memories)  # [B, M]
        held = self.bags(memories.flatten(0, 1)).view(*there.shape, -1)  # [B, M, D]
        lengths = torch.linalg.vector_norm(held, dim=-1).clamp(min=1e-6)
        sought = F.normalize(self.seek(question), dim=-1)
        match = (held @ sought[:, :, None])[:, :, 0] / lengths * self.sharpness.exp()  # cosines
        match = match.masked_fill(~there, -1e4).softmax(-1).masked_fill(~there, 0.0)
        kinds = match.new_zeros(len(match), 3).scatter_add(1, self.kinds(memories), match)
        found = self.found((match[:, None] @ held)[:, 0]) + kinds @ self.kind.weight  # [B, D]
        vector = F.normalize(question + found, dim=-1)
        if self.codes is None and self.second is None:
            return Heard(vector, held, there)
        words = F.embedding(batch.text_vec, self.states())
        held = held * math.sqrt(self.embedding.embedding_dim)
        return Heard(
            vector, torch.cat([words, held], 1), torch.cat([batch.text_vec.ne(PAD), there], 1)
        )

    def kinds(self, memories: Tensor) -> Tensor:
        """Whose each memory is, by its first word, `[B, M]`."""
        partner, own = (memories[..., 0].eq(mark) for mark in self.marks)
        return partner * PARTNER + own * SELF

    def read(self, ids: Tensor, project: nn.Linear, order: nn.Module | None) -> Tensor:
        """Texts `[N, L]` as vectors `[N, D]`: their bags, and what their order adds."""
        bags: Tensor = project(self.bags(ids))
        if order is None:
            return bags
        states = self.states()
        return bags + in_pieces(lambda part: order(F.embedding(part, states), part.ne(PAD)), ids)

    def bags(self, ids: Tensor) -> Tensor:
        """The mean of each text's words, `[N, L]` as `[N, D]`; of padding alone it is zero."""
        real = ids.ne(PAD)
        counts = real.sum(1)
        return F.embedding_bag(ids[real], self.table(), counts.cumsum(0) - counts, mode="mean")

    def states(self) -> Tensor:
        """Every word's vector at the scale that deeper layers expect, `[V, D]`."""
        return self.table() * math.sqrt(self.embedding.embedding_dim)

    def table(self) -> Tensor:
        """Every word's vector `[V, D]`: made once for a batch, not once for a word.

        It is kept until `forget`; without a gradient until the weights move.
        """
        mode = (self.training, torch.is_inference_mode_enabled())
        if self._kept is None or self._kept[0] != mode or not self._fits(self._kept[1]):
            words = self.embedding.weight
            if self.training and self.dropout:  # four times as fast on a CPU as nn.Dropout
                words = words * (torch.rand_like(words) >= self.dropout) / (1 - self.dropout)
            self._kept = (mode, self.weigh(words))
        return self._kept[1]

    def weigh(self, words: Tensor) -> Tensor:
        """Words' embeddings `[V, D]` as what is added up in bags."""
        return torch.tanh(self.hidden(words)) * self.weight.exp()

    def forget(self) -> None:
        """The weights have moved: make the table again."""
        self._kept = None

    def _fits(self, table: Tensor) -> bool:
        """Whether a kept table has the gradient that is now wanted, where the weights are."""
        return table.requires_grad == torch.is_grad_enabled() and (
            table.device == self.embedding.weight.device
        )


def reader(shape: Shape) -> Lstm | Transformer | None:
    """What reads the order of words, by the encoder's name."""
    return READERS[shape.encoder](shape)


READERS: dict[str, Callable[[Shape], Lstm | Transformer | None]] = {
    "bow": lambda _: None,
    "lstm": lambda shape: Lstm(shape.size, layers=shape.layers, dropout=shape.inner_dropout),
    "transformer": lambda shape: Transformer(
        shape.size, layers=shape.layers, heads=shape.heads, dropout=shape.inner_dropout
    ),
}


def _second_look(shape: Shape) -> SecondLook:
    return SecondLook(
        shape.size,
        best=shape.rerank,
        layers=shape.layers,
        heads=shape.heads,
        dropout=shape.inner_dropout,
    )
