"""A key-value profile memory network: one hop over the persona, on bags of words.

After Zhang et al. 2018 (Personalizing Dialogue Agents): the query (own last reply and what the
partner said) attends by cosine over the persona's sentences and itself; a reply is scored by its
cosine with what was read. Other than the original: in-batch cross-entropy with a learned
temperature in place of a margin loss over single examples, which learns in a minute.

Shapes: B contexts, M memory slots, N replies, V words, D dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.dialogue import Context
from harness.torch.words import Words, bags, duplicates


@dataclass(frozen=True)
class Config:
    """The shape of a memory network, as stored in config.json."""

    dimension: int = 192
    slots: int = 12
    dropout: float = 0.3


@dataclass(frozen=True)
class Question:
    """One context in ids: the query, and the persona's sentences as memories."""

    query: list[int]
    memories: list[list[int]]


class MemoryNetwork(nn.Module):
    """One table of words, shared by query, memories and replies."""

    def __init__(self, words: Words, config: Config) -> None:
        super().__init__()
        self.words, self.config = words, config
        self.embedding = nn.Embedding(len(words), config.dimension)
        self.weight = nn.Parameter(torch.zeros(len(words), 1))  # log of how much a word counts
        self.reply = nn.Linear(config.dimension, config.dimension, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.sharpness = nn.Parameter(torch.tensor(5.0).log())  # of the memory's softmax
        self.temperature = nn.Parameter(torch.tensor(10.0).log())  # of the loss
        nn.init.normal_(self.embedding.weight, std=config.dimension**-0.5)
        nn.init.eye_(self.reply.weight)

    def table(self) -> Tensor:
        """Every word's vector `[V, D]`."""
        embedded: Tensor = self.dropout(self.embedding.weight)
        return embedded * self.weight.exp()

    def encode_queries(self, table: Tensor, questions: Sequence[Question]) -> Tensor:
        """Unit vectors of queries after one hop over their memories `[B, D]`."""
        width = max(len(question.memories) for question in questions) + 1
        rows: list[list[int]] = []
        for question in questions:  # the query is its own first memory
            rows += [question.query, *question.memories]
            rows += [[]] * (width - 1 - len(question.memories))
        memory = bags(table, rows).view(len(questions), width, -1)  # [B, M, D]
        empty = torch.tensor([not row for row in rows]).view(len(questions), width)
        unit = F.normalize(memory, dim=-1)
        match = torch.einsum("bd,bmd->bm", unit[:, 0], unit) * self.sharpness.exp()
        match = match.masked_fill(empty, -1e4).softmax(-1)
        return F.normalize(torch.einsum("bm,bmd->bd", match, memory), dim=-1)

    def encode_replies(self, table: Tensor, replies: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors of replies `[N, D]`."""
        return F.normalize(self.reply(bags(table, replies)), dim=-1)

    def loss(self, questions: Sequence[Question], replies: Sequence[Sequence[int]]) -> Tensor:
        """Cross-entropy of picking one's own reply among those of the batch, twins masked."""
        table = self.table()
        match = self.encode_queries(table, questions) @ self.encode_replies(table, replies).T
        scores = match * self.temperature.exp().clamp(max=100.0)
        scores = scores.masked_fill(duplicates(replies), float("-inf"))
        return F.cross_entropy(scores, torch.arange(len(replies)))

    def question(self, context: Context) -> Question:
        """A context in ids: what was said since the last reply but one, and the persona."""
        own = [place for place, turn in enumerate(context.turns) if turn.speaker == "self"]
        recent = context.turns[own[-1] if own else 0 :]
        return Question(
            query=[number for turn in recent for number in self.words.ids(turn.text)],
            memories=[self.words.ids(text) for text in context.persona][: self.config.slots],
        )
