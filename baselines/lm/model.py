"""A language model: reads a persona and a talk as one text, word by word, and goes on with it.

Two kinds share their words (one table for input and output, an output bias that starts at the
words' log frequency) and differ in what they remember of a text:

- `LSTMReader`: the state of a long short-term memory, as in the baseline of 2018;
- `TransformerReader`: keys and values of every word, in a decoder-only Transformer with layer
  normalisation before each part, rotary places (Su et al. 2021) and squared ReLU (So et al. 2021).

Shapes: B texts, R rows, T words to read, S words before them, D size, V words, N layers, A heads.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Literal, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from harness.errors import UsageError
from harness.torch.batch import Batch
from harness.torch.generation.decoder import TorchGeneratorModel
from harness.torch.options import at_least
from harness.torch.precision import attention
from harness.torch.words import PAD, START

Known = TypeVar("Known")


@dataclass(frozen=True)
class Shape:
    """The shape of a model, as stored in config.json.

    `size`: values of a word's vector, and of a Transformer's layers. `states`: values of an
    LSTM's layers. `heads`: of a Transformer. `tied`: the vectors of the words that are read are
    also those of the words that are said.
    """

    kind: Literal["lstm", "transformer"] = "lstm"
    size: int = 256
    states: int = 512
    layers: int = 1
    heads: int = 4
    dropout: float = 0.4
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("size", "states", "layers", "heads"):
            at_least(f"model.{name}", getattr(self, name), 1)
        if self.kind == "transformer" and self.size % (2 * self.heads):
            raise UsageError(
                f"model.size is {self.size}; it must be an even multiple of model.heads, "
                f"{self.heads}"
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"model.dropout is {self.dropout}; it must be from 0 to below 1")


class LanguageModel(TorchGeneratorModel[Known, Known], Generic[Known]):
    """What both kinds share; `own` is the id that heads an own turn.

    A reply is decoded as the next turn of the text: its start is read as `own`.
    """

    compiled: ClassVar[tuple[str, ...]] = ("read",)

    def __init__(self, words: int, shape: Shape, *, own: int) -> None:
        super().__init__()
        self.own = own
        self.table = nn.Embedding(words, shape.size, padding_idx=PAD)
        self.untied = None if shape.tied else nn.Linear(shape.size, words, bias=False)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(shape.dropout)
        nn.init.normal_(self.table.weight, std=shape.size**-0.5)

    @abstractmethod
    def nothing(self, rows: int) -> Known:
        """What is remembered of an empty text."""

    def embed(self, tokens: Tensor) -> Tensor:
        """`[R, T]` to `[R, T, D]`, of unit scale; as rows of the output the same are small."""
        vectors: Tensor = self.table(tokens.masked_fill(tokens == START, self.own))
        scaled: Tensor = self.dropout(vectors * math.sqrt(vectors.shape[-1]))
        return scaled

    def output(self, hidden: Tensor) -> Tensor:
        """The logits of the next word, `[..., D]` to `[..., V]`."""
        weight = self.table.weight if self.untied is None else self.untied.weight
        return F.linear(hidden, weight, self.bias)

    def read(self, tokens: Tensor) -> Tensor:
        """Hidden values after each word of whole texts, `[B, T]` to `[B, T, D]`."""
        return self.decode(tokens, self.nothing(len(tokens)), None)[0]


@dataclass(frozen=True)
class State:
    """An LSTM between two words."""

    hidden: Tensor  # [R, N, H]
    cell: Tensor  # [R, N, H]


class LSTMReader(LanguageModel[State]):
    """Remembers a state; H = `states`."""

    def __init__(self, words: int, shape: Shape, *, own: int) -> None:
        super().__init__(words, shape, own=own)
        between = shape.dropout if shape.layers > 1 else 0.0
        self.cells = nn.LSTM(
            shape.size, shape.states, shape.layers, batch_first=True, dropout=between
        )
        self.narrow: nn.Module = nn.Identity()  # where states fit the words' vectors
        if shape.states != shape.size:
            self.narrow = nn.Sequential(nn.Linear(shape.states, shape.size), self.dropout)

    def nothing(self, rows: int) -> State:
        """A state of zeros."""
        zeros = self.bias.new_zeros(rows, self.cells.num_layers, self.cells.hidden_size)
        return State(zeros, zeros)

    def encode(self, batch: Batch) -> State:
        """The state after the last word of each text."""
        lengths = batch.text_lengths.cpu()
        packed = pack_padded_sequence(self.embed(batch.text_vec), lengths, batch_first=True)
        _, (hidden, cell) = self.cells(packed)
        return State(hidden.transpose(0, 1), cell.transpose(0, 1))

    def decode(self, tokens: Tensor, encoded: State, cache: State | None) -> tuple[Tensor, State]:
        """Read `[R, T]` after the text and what the cache has seen."""
        before = encoded if cache is None else cache
        state = before.hidden.transpose(0, 1).contiguous(), before.cell.transpose(0, 1).contiguous()
        states, (hidden, cell) = self.cells(self.embed(tokens), state)  # [R, T, H]
        said = self.narrow(self.dropout(states))  # [R, T, D]
        return said, State(hidden.transpose(0, 1), cell.transpose(0, 1))


@dataclass(frozen=True)
class Past:
    """What a Transformer has read; row i is real in `count[i]` places, where `real` says."""

    keys: Tensor  # [R, N, A, S, D/A], turned to their places
    values: Tensor  # [R, N, A, S, D/A]
    real: Tensor  # [R, S], bool
    count: Tensor  # [R]


class TransformerReader(LanguageModel[Past]):
    """Remembers keys and values of every word."""

    def __init__(self, words: int, shape: Shape, *, own: int) -> None:
        super().__init__(words, shape, own=own)
        self.heads = shape.heads
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.size)
        # with one table for both, a word that is read would at first foretell itself
        nn.init.constant_(self.last.weight, 0.5)

    def nothing(self, rows: int) -> Past:
        """No word yet."""
        size = self.table.embedding_dim // self.heads
        none = self.bias.new_zeros(rows, len(self.layers), self.heads, 0, size)
        count = torch.zeros(rows, dtype=torch.long, device=none.device)
        return Past(none, none, torch.zeros_like(none[:, 0, 0, :, 0], dtype=torch.bool), count)

    def encode(self, batch: Batch) -> Past:
        """The text's keys and values."""
        _, past = self.decode(batch.text_vec, self.nothing(len(batch)), None)
        return replace(past, real=batch.text_mask, count=batch.text_lengths)

    def decode(self, tokens: Tensor, encoded: Past, cache: Past | None) -> tuple[Tensor, Past]:
        """Read `[R, T]` after the text and what the cache has seen; the cache holds no text."""
        cache = self.nothing(len(tokens)) if cache is None else cache
        rows, width = tokens.shape
        read = torch.ones(rows, width, dtype=torch.bool, device=tokens.device)
        real = torch.cat([encoded.real, cache.real, read], dim=1)  # [R, S + T]
        mask = barred(real, width)
        first = (encoded.count + cache.count)[:, None]
        turn = rotations(first + torch.arange(width, device=tokens.device), encoded.keys.shape[-1])
        hidden, keys, values = self.embed(tokens), [], []
        for number, layer in enumerate(cast(Iterable[Layer], self.layers)):
            query, key, value = layer.ask(hidden, turn)  # [R, A, T, D/A] each
            keys.append(torch.cat([cache.keys[:, number], key], dim=2))
            values.append(torch.cat([cache.values[:, number], value], dim=2))
            known = torch.cat([encoded.keys[:, number], keys[-1]], dim=2)
            told = torch.cat([encoded.values[:, number], values[-1]], dim=2)
            hidden = layer.answer(hidden, attention(query, known, told, mask=mask))
        seen = torch.cat([cache.real, read], dim=1)
        after = Past(torch.stack(keys, 1), torch.stack(values, 1), seen, cache.count + width)
        return self.dropout(self.last(hidden)), after


class Layer(nn.Module):
    """Attention and a widening of four, each added to what it reads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size = shape.size
        self.heads = shape.heads
        self.before_ask, self.before_think = nn.LayerNorm(size), nn.LayerNorm(size)
        self.queries = nn.Linear(size, 3 * size, bias=False)
        self.join = nn.Linear(size, size, bias=False)
        self.widen = nn.Linear(size, 4 * size, bias=False)
        self.narrow = nn.Linear(4 * size, size, bias=False)
        self.dropout = nn.Dropout(shape.dropout)
        for weight in (self.join.weight, self.narrow.weight):
            nn.init.normal_(weight, std=0.02 / math.sqrt(2 * shape.layers))  # as GPT-2's

    def ask(self, hidden: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head, `[R, A, T, D/A]` each; the first two turned."""
        parts = self.queries(self.before_ask(hidden)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return rotated(query, turn), rotated(key, turn), value

    def answer(self, hidden: Tensor, found: Tensor) -> Tensor:
        """What comes of the hidden values `[R, T, D]` and what attention found `[R, A, T, D/A]`."""
        hidden = hidden + self.dropout(self.join(found.transpose(1, 2).flatten(2)))
        wide = F.relu(self.widen(self.before_think(hidden))).square()
        thought: Tensor = hidden + self.dropout(self.narrow(wide))
        return thought


def barred(real: Tensor, width: int) -> Tensor:
    """What may not be looked at is -inf, the rest 0, `[R, 1, T, S + T]`.

    `real` `[R, S + T]` says where words are, the last `width` = T of them are looking: each sees
    itself and what is before it.
    """
    before = real.shape[1] - width
    later = torch.ones(width, real.shape[1], dtype=torch.bool, device=real.device).triu(before + 1)
    mask = torch.zeros(1, dtype=torch.float32, device=real.device)
    return mask.masked_fill((later | ~real[:, None])[:, None], -torch.inf)


def rotations(places: Tensor, size: int) -> Tensor:
    """Cosines and sines by which vectors of `size` are turned at places `[R, T]`.

    `[2, R, 1, T, size / 2]`, the pairs at angles of place / 10000^(2 i / size).
    """
    rates = 10_000.0 ** (-torch.arange(0, size, 2, device=places.device) / size)
    angles = places[:, None, :, None] * rates
    return torch.stack([angles.cos(), angles.sin()])


def rotated(vectors: Tensor, turn: Tensor) -> Tensor:
    """Vectors `[R, A, T, E]` turned to their places: products hang on distances alone."""
    cos, sin = turn.to(vectors.dtype)
    one, two = vectors.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1)


def build(words: int, shape: Shape, *, own: int) -> LanguageModel[State] | LanguageModel[Past]:
    """The model of a shape."""
    if shape.kind == "lstm":
        return LSTMReader(words, shape, own=own)
    return TransformerReader(words, shape, own=own)
