"""A bag-of-words dual encoder with the persona and the earlier talk as memory.

The partner's last words ask, everything else is remembered: the query attends over one slot per
persona sentence and earlier turn, adds what it finds, and is compared to each reply by cosine.
The 1-hop persona memory with a residual is that of Mazare et al. 2018, on bags of words.

Shapes: B contexts, M memory slots, N replies, V words, D dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.dialogue import Context
from harness.torch.words import Words, bags, duplicates

PERSONA, PARTNER, SELF = 0, 1, 2


@dataclass(frozen=True)
class Config:
    """The shape of a ranker, as stored in config.json."""

    dimension: int = 192
    slots: int = 16
    dropout: float = 0.4


@dataclass(frozen=True)
class Slots:
    """One context in ids: the question, and what is remembered, each memory with its kind."""

    query: list[int]
    memories: list[list[int]]
    kinds: list[int]


class Ranker(nn.Module):
    """Scores replies by the cosine of a context and a reply."""

    def __init__(self, words: Words, config: Config) -> None:
        super().__init__()
        self.words, self.config = words, config
        size = config.dimension
        self.embedding = nn.Embedding(len(words), size)
        self.hidden = nn.Linear(size, size)
        self.weight = nn.Parameter(torch.zeros(len(words), 1))  # log of how much a word counts
        self.kind = nn.Embedding(3, size)
        self.query = nn.Linear(size, size, bias=False)
        self.memory = nn.Linear(size, size, bias=False)
        self.reply = nn.Linear(size, size, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())  # of the memory's softmax
        self.temperature = nn.Parameter(torch.tensor(10.0).log())  # of the loss
        nn.init.normal_(self.embedding.weight, std=size**-0.5)
        nn.init.zeros_(self.kind.weight)
        for layer in (self.query, self.memory, self.reply):
            nn.init.eye_(layer.weight)

    def table(self) -> Tensor:
        """Every word's vector `[V, D]`: made once a step, not once a token."""
        return torch.tanh(self.hidden(self.dropout(self.embedding.weight))) * self.weight.exp()

    def encode_contexts(self, table: Tensor, contexts: Sequence[Slots]) -> Tensor:
        """Unit vectors of contexts `[B, D]`."""
        query = self.query(bags(table, [slots.query for slots in contexts]))  # [B, D]
        width = max(1, *(len(slots.memories) for slots in contexts))
        kinds = torch.zeros(len(contexts), width, dtype=torch.long)  # [B, M]
        rows: list[list[int]] = []
        for slots, kind in zip(contexts, kinds, strict=True):
            kind[: len(slots.kinds)] = torch.tensor(slots.kinds)
            rows += slots.memories + [[]] * (width - len(slots.memories))
        memory = bags(table, rows).view(len(contexts), width, -1)  # [B, M, D]
        memory = self.memory(memory) + self.kind(kinds)
        empty = torch.tensor([not row for row in rows]).view(len(contexts), width)
        match = torch.einsum("bd,bmd->bm", F.normalize(query, dim=-1), F.normalize(memory, dim=-1))
        match = (match * self.sharpness.exp()).masked_fill(empty, -1e4).softmax(-1)
        found = torch.einsum("bm,bmd->bd", match.masked_fill(empty, 0.0), memory)
        return F.normalize(query + found, dim=-1)

    def encode_replies(self, table: Tensor, replies: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors of replies `[N, D]`."""
        return F.normalize(self.reply(bags(table, replies)), dim=-1)

    def loss(self, contexts: Sequence[Slots], replies: Sequence[Sequence[int]]) -> Tensor:
        """Cross-entropy of picking one's own reply among those of the batch.

        The same reply elsewhere in the batch is no wrong answer, so duplicates are masked.
        """
        table = self.table()
        match = self.encode_contexts(table, contexts) @ self.encode_replies(table, replies).T
        scores = match * self.temperature.exp().clamp(max=100.0)
        scores = scores.masked_fill(duplicates(replies), float("-inf"))
        return F.cross_entropy(scores, torch.arange(len(replies)))

    def slots(self, context: Context) -> Slots:
        """A context in ids; the oldest turns are dropped first, the persona never."""
        persona = [self.words.ids(sentence) for sentence in context.persona][: self.config.slots]
        room = self.config.slots - len(persona)
        earlier = context.turns[max(0, len(context.turns) - 1 - room) : -1]
        return Slots(
            query=self.words.ids(context.turns[-1].text) if context.turns else [],
            memories=persona + [self.words.ids(turn.text) for turn in earlier],
            kinds=[PERSONA] * len(persona)
            + [PARTNER if turn.speaker == "partner" else SELF for turn in earlier],
        )
