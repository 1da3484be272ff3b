"""A sequence-to-sequence model: two LSTMs, attention over talk and persona, a gate that copies.

The encoder reads the last turns word by word. At each step the decoder attends over the encoder's
states and the persona's words; the next word is drawn from the model's vocabulary or, through the
gate (See et al. 2017), copied from where the attention looks. Input and output embeddings are
one, and the output bias starts at the words' log frequency.

Shapes: B contexts, S source words (talk, then persona), T reply words, V words, E embedding,
H states.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from harness.dialogue import Context
from harness.text import split_words
from harness.torch.words import END, START, UNKNOWN, Words, padded

MARKS = {"partner": "__partner__", "self": "__self__"}
"""The words that head a turn in the source."""


@dataclass(frozen=True)
class Config:
    """The shape of a model, as stored in config.json; lengths in words, the latest are kept.

    `rare` is how many words the training set had beside the model's: an unknown word is one of
    so many, which makes copying it worth learning.
    """

    embedding: int = 192
    states: int = 256
    dropout: float = 0.1
    talk: int = 36
    persona: int = 64
    rare: int = 1000


@dataclass(frozen=True)
class Source:
    """One context in words: the end of the talk with its speakers, and the persona."""

    talk: tuple[str, ...]
    persona: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All that is attended over, in the order of the memory."""
        return self.talk + self.persona


@dataclass(frozen=True)
class State:
    """What the decoder carries from one word to the next, `[B, H]` each."""

    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True)
class Memory:
    """Encoded contexts: what is attended over `[B, S, H]`, and the decoder's first state `[B, H]`.

    Row i is real in its first `len(sources[i].words)` places.
    """

    sources: Sequence[Source]
    values: Tensor
    start: Tensor

    def rows(self, numbers: Sequence[int]) -> "Memory":
        """Some of the contexts, in the order and as often as named."""
        chosen = torch.tensor(numbers, dtype=torch.long)
        sources = [self.sources[number] for number in numbers]
        return Memory(sources, self.values[chosen], self.start[chosen])

    def split(self) -> "list[Memory]":
        """Each context alone, without padding."""
        return [
            Memory(
                [source], self.values[i : i + 1, : len(source.words)].clone(), self.start[i][None]
            )
            for i, source in enumerate(self.sources)
        ]

    @staticmethod
    def join(memories: "Sequence[Memory]") -> "Memory":
        """Single contexts as one batch, padded to the right."""
        return Memory(
            [memory.sources[0] for memory in memories],
            pad_sequence([memory.values[0] for memory in memories], batch_first=True),
            torch.cat([memory.start for memory in memories]),
        )


@dataclass(frozen=True)
class Step:
    """What the decoder says after each word it read.

    `output` `[B, T, E]` gives the words' logits, `look` `[B, T, S]` is the attention, `gate`
    `[B, T]` the log odds of copying; `state` follows the last word.
    """

    output: Tensor
    look: Tensor
    gate: Tensor
    state: State


class Seq2Seq(nn.Module):
    """Encodes contexts once, then decodes any number of words."""

    def __init__(self, words: Words, config: Config) -> None:
        super().__init__()
        self.words, self.config = words, config
        size, states = config.embedding, config.states
        self.embedding = nn.Embedding(len(words), size)
        self.encoder = nn.LSTM(size, states, batch_first=True)
        self.decoder = nn.LSTM(size, states, batch_first=True)
        self.persona = nn.Linear(size, states)
        self.ask = nn.Linear(states, states, bias=False)
        self.combine = nn.Linear(2 * states, size)
        self.bias = nn.Parameter(torch.zeros(len(words)))
        self.gate = nn.Linear(2 * states, 1)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)

    def source(self, context: Context) -> Source:
        """A context in words, cut to what the model reads."""
        talk = [w for t in context.turns for w in (MARKS[t.speaker], *split_words(t.text))]
        persona = [word for sentence in context.persona for word in split_words(sentence)]
        return Source(tuple(talk[-self.config.talk :]), tuple(persona[: self.config.persona]))

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors of unit scale; as rows of the output layer the same vectors are small."""
        embedded: Tensor = self.dropout(self.embedding(ids))
        return embedded * math.sqrt(self.config.embedding)

    def encode(self, sources: Sequence[Source]) -> Memory:
        """Read contexts; padding stands to the right of what is real and changes nothing."""
        talk = padded([self.words.numbers(source.talk) for source in sources])  # [B, S1]
        facts = padded([self.words.numbers(source.persona) for source in sources])  # [B, S2]
        states, _ = self.encoder(self.embed(talk))  # [B, S1, H]
        known = torch.tanh(self.persona(self.embed(facts)))  # [B, S2, H]
        width = talk.shape[1]
        places = [[*range(len(s.talk)), *range(width, width + len(s.persona))] for s in sources]
        index = padded(places)[:, :, None].expand(-1, -1, states.shape[-1])  # [B, S, H]
        last = torch.tensor([max(0, len(source.talk) - 1) for source in sources])
        return Memory(
            sources,
            values=torch.cat([states, known], dim=1).gather(1, index),
            start=states[torch.arange(len(sources)), last],
        )

    def decode(self, memory: Memory, inputs: Tensor, state: State | None = None) -> Step:
        """Read reply words `[B, T]`, from the beginning or from a state."""
        values = memory.values  # [B, S, H]
        real = lengths_mask([len(source.words) for source in memory.sources], values.shape[1])
        state = state or State(memory.start, memory.start)
        before = (state.hidden[None], state.cell[None])
        states, (hidden, cell) = self.decoder(self.embed(inputs), before)  # [B, T, H]
        match = self.ask(states) @ values.transpose(1, 2)
        look = match.masked_fill(~real[:, None], -1e4).softmax(-1)  # [B, T, S]
        both = torch.cat([states, look @ values], dim=-1)  # [B, T, 2H]
        return Step(
            output=self.dropout(torch.tanh(self.combine(both))),
            look=look,
            gate=self.gate(both).squeeze(-1),
            state=State(hidden[0], cell[0]),
        )

    def vocabulary(self, output: Tensor) -> Tensor:
        """ln p of the model's own words, `[..., E]` to `[..., V]`."""
        return F.linear(output, self.embedding.weight, self.bias).log_softmax(-1)

    def log_likelihood(self, memory: Memory, replies: Sequence[Sequence[str]]) -> Tensor:
        """ln p of each word of each reply and of its end `[B, T]`; zero where padded."""
        inputs = padded([[START, *self.words.numbers(reply)] for reply in replies])  # [B, T]
        targets = padded([[*self.words.numbers(reply), END] for reply in replies])  # [B, T]
        real = lengths_mask([len(reply) + 1 for reply in replies], targets.shape[1])
        step = self.decode(memory, inputs)
        wanted = targets[real]  # [words]; what follows skips the padding
        own = self.vocabulary(step.output[real]).gather(1, wanted[:, None])[:, 0]
        own = own - math.log(self.config.rare) * (wanted == UNKNOWN)
        copied = (step.look * same(memory.sources, replies, step.look.shape)).sum(-1)[real]
        gate = step.gate[real]
        total = torch.logaddexp(F.logsigmoid(-gate) + own, F.logsigmoid(gate) + safe_log(copied))
        return torch.zeros(real.shape).masked_scatter(real, total)

    def distribution(self, memory: Memory, step: Step, lexicon: "Lexicon") -> Tensor:
        """p of every word of a lexicon after the last word read, `[B, len(lexicon)]`.

        What copying gives to words outside the lexicon is lost.
        """
        gate = step.gate[:, -1:]
        own = self.vocabulary(step.output[:, -1]).exp() * torch.sigmoid(-gate)
        row = F.pad(own, (0, lexicon.size + 1 - own.shape[1]))  # the last column is nowhere
        places = [lexicon.places(source.words) for source in memory.sources]
        where = torch.full(step.look[:, -1].shape, lexicon.size)
        for into, found in zip(where, places, strict=True):
            into[: len(found)] = torch.tensor(found, dtype=torch.long)
        return row.scatter_add(1, where, step.look[:, -1] * torch.sigmoid(gate))[:, :-1]


class Lexicon:
    """Columns for words: the model's own by their ids, then further words that may be copied."""

    def __init__(self, words: Words, further: Sequence[str]) -> None:
        self.own = words.index
        new = [word for word in dict.fromkeys(further) if word not in words.index]
        self.further = {word: len(words) + place for place, word in enumerate(new)}
        self.words = (*words.words, *new)
        self.size = len(self.words)

    def places(self, words: Sequence[str]) -> list[int]:
        """The column of each word; `size`, one past the last, for a word that has none."""
        return [self.own.get(word, self.further.get(word, self.size)) for word in words]


def lengths_mask(lengths: Sequence[int], width: int) -> Tensor:
    """True in the first `lengths[i]` places of row i, bool `[rows, width]`."""
    return torch.arange(width)[None] < torch.tensor(lengths)[:, None]


def same(
    sources: Sequence[Source], replies: Sequence[Sequence[str]], shape: Sequence[int]
) -> Tensor:
    """1 where a source word is the reply's word, of shape `[B, T, S]`."""
    numbers: dict[str, int] = {}
    heard = torch.full((shape[0], shape[2]), -1)
    said = torch.full((shape[0], shape[1]), -2)
    for row, (source, reply) in enumerate(zip(sources, replies, strict=True)):
        for words, into in ((source.words, heard), (reply, said)):
            found = [numbers.setdefault(word, len(numbers)) for word in words]
            into[row, : len(found)] = torch.tensor(found, dtype=torch.long)
    return (said[:, :, None] == heard[:, None, :]).float()


def safe_log(values: Tensor) -> Tensor:
    """The logarithm, of zero too: then a number too small to matter, with a finite slope."""
    return values.clamp(min=1e-9).log()
