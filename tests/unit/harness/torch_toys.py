"""Toys for the tests of the torch family: a set to learn by heart, and the smallest ranker."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.dialogue import Dialogue, Example
from harness.torch.batch import Batch, present
from harness.torch.options import TextOptions, TrainingOptions
from harness.torch.ranker import (
    RankerModel,
    RankerOptions,
    RankingOptions,
    TorchRankerAgent,
    products,
)
from harness.torch.vectors import learn_words
from harness.torch.words import PAD, Words

SIGHTS = ("tea", "rain", "chess", "jazz", "snow", "boats", "bread", "maps", "bees", "stars")
REPLIES = (
    "a cup of it in the morning",
    "it makes the garden grow",
    "my uncle taught me",
    "old records from my father",
    "we build forts every winter",
    "sailing calms everyone",
    "baking sourdough on sunday",
    "paper beats any phone",
    "honey pays our rent",
    "my telescope is huge",
)


def toy() -> list[Dialogue]:
    """Ten talks of two examples; what was asked decides the reply."""
    return [
        Dialogue(
            id=str(number),
            persona=(f"i am person {number} .", "i talk a lot ."),
            examples=(_example(number), _example((number + 3) % len(SIGHTS))),
        )
        for number in range(len(SIGHTS))
    ]


def _example(number: int) -> Example:
    others = tuple(reply for reply in REPLIES if reply != REPLIES[number])
    return Example(
        partner=(f"what about {SIGHTS[number]} ?",),
        replies=(REPLIES[number],),
        candidates=(*others, REPLIES[number]),
    )


@dataclass(frozen=True)
class Shape:
    """The shape of a `Bags`."""

    size: int = 32
    dropout: float = 0.0


class Bags(RankerModel):
    """Means of words, for contexts and candidates alike; memories are added."""

    def __init__(self, words: int, shape: Shape) -> None:
        super().__init__()
        self.table = nn.Embedding(words, shape.size, padding_idx=PAD)
        self.reply = nn.Embedding(words, shape.size, padding_idx=PAD)
        self.dropout = nn.Dropout(shape.dropout)

    def encode_candidates(self, vectors: Tensor) -> Tensor:
        return mean(self.reply, vectors)

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        assert encodings is not None
        context = mean(self.table, batch.text_vec)
        if batch.memory_vecs is not None:
            found = mean(self.table, batch.memory_vecs) * present(batch.memory_vecs)[..., None]
            context = context + found.sum(1)
        return products(self.dropout(context), encodings)


class Reader(RankerModel):
    """The same without encodings: a model that reads each candidate with its context."""

    def __init__(self, words: int, shape: Shape) -> None:
        super().__init__()
        self.bags = Bags(words, shape)
        self.seen: list[tuple[int, ...]] = []

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        assert encodings is None
        self.seen.append(tuple(vectors.shape))
        return self.bags.score_candidates(batch, vectors, self.bags.encode_candidates(vectors))


def mean(table: nn.Embedding, ids: Tensor) -> Tensor:
    """The mean vector of ids `[..., L]`, padding left out: `[..., D]`."""
    real = ids.ne(PAD).sum(-1, keepdim=True).clamp(min=1)
    vectors: Tensor = table(ids)
    return vectors.sum(-2) / real


@dataclass(frozen=True, kw_only=True)
class ToyOptions(RankerOptions):
    """Options of a toy ranker."""

    model: Shape = field(default_factory=Shape)


class ToyRanker(TorchRankerAgent):
    """A ranker of bags."""

    options_type = ToyOptions
    options: ToyOptions

    def build_model(self) -> RankerModel:
        return Bags(len(self.words), self.options.model)


class ToyReader(ToyRanker):
    """A ranker that cannot encode candidates."""

    def build_model(self) -> RankerModel:
        return Reader(len(self.words), self.options.model)


LAST_TURN = TextOptions(persona="none", history="memories", memories=0)
FAST = TrainingOptions(learning_rate=0.05)


def toy_options(
    *,
    ranking: RankingOptions | None = None,
    training: TrainingOptions = FAST,
    text: TextOptions = LAST_TURN,
    model: Shape | None = None,
    batch_size: int = 8,
) -> ToyOptions:
    """Options with which a toy is learned in a second."""
    return ToyOptions(
        text=text,
        training=training,
        ranking=ranking or RankingOptions(),
        model=model or Shape(),
        batch_size=batch_size,
    )


def toy_words() -> Words:
    """The words of the toy set."""
    return learn_words(toy())


def fresh(options: ToyOptions | None = None) -> ToyRanker:
    """A toy ranker with first weights."""
    torch.manual_seed(0)
    return ToyRanker(toy_words(), options or toy_options())
