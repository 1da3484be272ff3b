"""A key-value profile memory network, as it was in 2018 and as one trains it now.

Both read a context alike (Zhang et al. 2018, sections 4.2 and 4.3): texts are bags of words, the
query looks by cosine at its memories (the persona's sentences), what comes of that is the
context's vector, and a reply scores its cosine with it. Both then look into a memory of pairs, of
what was said to somebody (key) and what was replied (value): the replies to what is nearest to
the words to answer are a second vector, and a reply scores `share` times its cosine with that too.

Historical is the network of ConvAI2's baseline; Modern weighs its words, adds what it finds to
the query, and reads the pairs by attention.

Shapes: B contexts, M memories, N texts, L words of a text, K pairs, C candidates, V words, D size.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from negatives import Labels
from pairs import Pairs
from torch import Tensor, nn

from harness.torch.batch import Batch, present
from harness.torch.ranker import RankerModel, products
from harness.torch.words import PAD


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The shape of a network, as stored in config.json.

    `read`: pairs whose replies make the second vector, which counts `share`. `retrieved`: pairs
    from whose replies a chat chooses.
    """

    kind: Literal["historical", "modern"] = "historical"
    size: int = 1000
    dropout: float = 0.0
    read: int = 10
    retrieved: int = 100
    share: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Asked(Batch):
    """A batch with the partner's last turn, which looks for pairs, and the persona's sentences.

    `persona` is None where it is not to be read, or nobody has one.
    """

    heard: Tensor  # [B, L]
    persona: Tensor | None  # [B, M, L]


@dataclass(frozen=True)
class Found:
    """The pairs nearest to what was heard, best first, and the cosine of their keys `[B, K]`."""

    places: Tensor
    match: Tensor

    def first(self, count: int) -> "Found":
        """The first `count` of them."""
        return Found(self.places[:, :count], self.match[:, :count])


class MemoryNetwork(RankerModel):
    """Scores replies by their cosines with a context and with what was replied to its like."""

    compiled: ClassVar[tuple[str, ...]] = ("hop",)
    scale: Tensor | float = 1.0  # of the cosines, for a loss

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.pairs: Pairs | None = None
        self._kept: dict[object, Tensor] = {}

    @abstractmethod
    def bags(self, ids: Tensor) -> Tensor:
        """Texts `[..., L]` as vectors `[..., D]`, zero where there is no word."""

    @abstractmethod
    def look(self, query: Tensor, memory_vecs: Tensor | None) -> Tensor:
        """The unit vector `[B, D]` of a bag `[B, D]` that has looked at `[B, M, L]`."""

    @abstractmethod
    def second(self, batch: Batch, found: Found) -> Tensor:
        """The unit vector `[B, D]` of what was replied in the pairs that were found."""

    @abstractmethod
    def score_found(self, batch: Batch, found: Found) -> Tensor:
        """How well the replies of the pairs would do as replies `[B, K]`."""

    @abstractmethod
    def encode_candidates(self, vectors: Tensor) -> Tensor:
        """Replies `[N, L]` as unit vectors `[N, D]`."""

    def read(self, batch: Batch) -> Tensor:
        """Contexts as unit vectors `[B, D]`, without the pairs."""
        return self.look(self.bags(batch.text_vec), batch.memory_vecs)

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        """Scores `[B, C]`; the pairs, which training does without, count where there are some."""
        assert encodings is not None  # what encode_candidates made of the vectors
        target = self.read(batch)
        if self.pairs is not None and not self.training:
            target = self.blend(batch, target, self.find(batch, self.shape.read))
        return products(target, encodings) * self.scale

    def blend(self, batch: Batch, target: Tensor, found: Found) -> Tensor:
        """A context's vector `[B, D]` with a share of what was replied to its like."""
        return target + self.shape.share * self.second(batch, found)

    # The memory of pairs.

    def find(self, batch: Batch, count: int) -> Found:
        """The `count` pairs whose keys are nearest to what was heard."""
        assert self.pairs is not None
        assert isinstance(batch, Asked)
        asked = F.normalize(self.bags(batch.heard), dim=-1)
        return Found(*self.pairs.nearest(asked, self.keys(), count=count))

    def keys(self) -> Tensor:
        """The keys of the pairs as unit vectors `[distinct keys, D]`."""
        pairs = self.pairs
        assert pairs is not None
        return self.kept("keys", lambda: F.normalize(self.bags(pairs.key_vecs), dim=-1))

    def values(self) -> Tensor:
        """The replies of the pairs as unit vectors `[K, D]`."""
        pairs = self.pairs
        assert pairs is not None
        return self.kept("values", lambda: self.encode_candidates(pairs.value_vecs))

    # What is computed from the weights alone.

    def kept(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """What `make` makes, once until the weights move."""
        key = (name, self.training, torch.is_grad_enabled())
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def forget(self) -> None:
        """The weights have moved, or the pairs are others."""
        self._kept.clear()


class Historical(MemoryNetwork):
    """Means of one shared table, a softmax of plain cosines, the query a memory of its own."""

    MAX_NORM = 10.0

    def __init__(self, words: int, shape: Shape, *, labels: Labels) -> None:
        super().__init__(shape)
        self.table = nn.Embedding(words, shape.size, padding_idx=PAD)
        self.labels = labels
        self.hold_norms()

    @torch.no_grad()
    def hold_norms(self) -> None:
        """Words longer than `MAX_NORM` are cut to it; all at once is quicker than those in use."""
        norms = torch.linalg.vector_norm(self.table.weight, dim=-1, keepdim=True)
        self.table.weight.mul_((self.MAX_NORM / norms.clamp(min=1e-6)).clamp(max=1.0))

    def bags(self, ids: Tensor) -> Tensor:
        return means(self.table.weight, ids)

    def encode_candidates(self, vectors: Tensor) -> Tensor:
        return F.normalize(self.bags(vectors), dim=-1)

    def look(self, query: Tensor, memory_vecs: Tensor | None) -> Tensor:
        if memory_vecs is None:
            return F.normalize(query, dim=-1)
        memories = torch.cat([self.bags(memory_vecs), query[:, None]], 1)  # [B, M + 1, D]
        there = F.pad(present(memory_vecs), (0, 1), value=True)
        return F.normalize(self.hop(query, memories, there), dim=-1)

    def hop(self, query: Tensor, memories: Tensor, there: Tensor) -> Tensor:
        """The mean `[B, D]` of memories `[B, M, D]`, weighed by a softmax of their cosines."""
        norms = torch.linalg.vector_norm(memories, dim=-1).clamp(min=1e-6)
        match = (memories @ query[:, :, None])[..., 0] / (norms * norms[:, -1:])  # [B, M]
        weights = match.masked_fill(~there, float("-inf")).softmax(-1)
        found: Tensor = (weights[:, None] @ memories)[:, 0]
        return found

    def second(self, batch: Batch, found: Found) -> Tensor:
        """All words of the replies are one more query, which looks at the persona as well."""
        assert self.pairs is not None
        words = self.pairs.value_vecs[found.places].flatten(1)  # [B, K * L]
        return self.look(self.bags(words), batch.memory_vecs)

    def score_found(self, batch: Batch, found: Found) -> Tensor:
        """By the second vector alone: the ten nearest replies and the persona."""
        return products(
            self.second(batch, found.first(self.shape.read)), self.values()[found.places]
        )


class Modern(MemoryNetwork):
    """Weighed words through tanh, a learned sharpness, and the query stays beside what it finds."""

    SHARPNESS = 30.0  # of the look into the pairs; 10 to 30 are alike on validation
    KEY = 0.2  # what a pair's key counts in chat: F1 .336 against .331 on validation
    OWN = 0.2  # and a reply's words that are the persona's: F1 -.003, a tenth more of them

    def __init__(self, words: int, shape: Shape) -> None:
        super().__init__(shape)
        size = shape.size
        self.table = nn.Embedding(words, size, padding_idx=PAD)
        self.hidden = nn.Linear(size, size)
        self.weight = nn.Parameter(torch.zeros(words, 1))  # log of how much a word counts
        self.query = nn.Linear(size, size, bias=False)
        self.memory = nn.Linear(size, size, bias=False)
        self.reply = nn.Linear(size, size, bias=False)
        self.dropout = nn.Dropout(shape.dropout)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())  # of the look at the memories
        self.temperature = nn.Parameter(torch.tensor(10.0).log())  # of the loss
        nn.init.normal_(self.table.weight, std=size**-0.5)
        for layer in (self.query, self.memory, self.reply):
            nn.init.eye_(layer.weight)

    @property
    def scale(self) -> Tensor:  # type: ignore[override]  # here it is learned
        scale: Tensor = self.temperature.exp()
        return scale.clamp(max=100.0)

    def words(self) -> Tensor:
        """Every word's vector `[V, D]`: made once a step, not once a token."""
        return self.kept("words", self._words)

    def _words(self) -> Tensor:
        hidden: Tensor = torch.tanh(self.hidden(self.dropout(self.table.weight)))
        return hidden * self.weight.exp()

    def bags(self, ids: Tensor) -> Tensor:
        return means(self.words(), ids)

    def encode_candidates(self, vectors: Tensor) -> Tensor:
        return F.normalize(self.reply(self.bags(vectors)), dim=-1)

    def look(self, query: Tensor, memory_vecs: Tensor | None) -> Tensor:
        asked: Tensor = self.query(query)
        if memory_vecs is None:
            return F.normalize(asked, dim=-1)
        memories: Tensor = self.memory(self.bags(memory_vecs))
        return F.normalize(asked + self.hop(asked, memories, present(memory_vecs)), dim=-1)

    def hop(self, query: Tensor, memories: Tensor, there: Tensor) -> Tensor:
        """The mean `[B, D]` of memories `[B, M, D]` by how they match; zero where there is none."""
        match = (F.normalize(memories, dim=-1) @ F.normalize(query, dim=-1)[:, :, None])[..., 0]
        weights = (match * self.sharpness.exp()).masked_fill(~there, -1e4).softmax(-1)
        return (weights.masked_fill(~there, 0.0)[:, None] @ memories)[:, 0]

    def second(self, batch: Batch, found: Found) -> Tensor:
        """The mean of the replies by how their keys match."""
        weights = (found.match * self.SHARPNESS).softmax(-1)  # [B, K]
        return F.normalize((weights[:, None] @ self.values()[found.places])[:, 0], dim=-1)

    def score_found(self, batch: Batch, found: Found) -> Tensor:
        """As candidates are scored, and a little by the key and by the persona's words."""
        target = self.blend(batch, self.read(batch), found.first(self.shape.read))
        scores = products(target, self.values()[found.places]) + self.KEY * found.match
        assert isinstance(batch, Asked)
        if batch.persona is None:
            return scores
        said = self.said()[found.places]  # [B, K, D]
        own = F.normalize(self.bags(batch.persona), dim=-1)  # [B, M, D], zero where none is
        return scores + self.OWN * (said @ own.transpose(1, 2)).amax(-1)

    def said(self) -> Tensor:
        """The replies of the pairs as bags `[K, D]`, in the space of what they may be like."""
        pairs = self.pairs
        assert pairs is not None
        return self.kept("said", lambda: F.normalize(self.bags(pairs.value_vecs), dim=-1))


def means(table: Tensor, ids: Tensor) -> Tensor:
    """The mean vector of each text's words `[..., D]`, of a table `[V, D]`.

    Gradients are dense: sparse ones, one row per word read, take ten times as long to add up.
    """
    flat = F.embedding_bag(ids.flatten(0, -2), table, mode="mean", padding_idx=PAD)
    return flat.view(*ids.shape[:-1], -1)
