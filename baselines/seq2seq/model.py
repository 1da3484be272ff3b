"""A sequence-to-sequence model: two LSTMs, attention over talk and persona, a gate that copies.

The encoder reads the last turns word by word. At each step the decoder attends over the encoder's
states and the persona's words; the next word is drawn from the model's vocabulary or, through the
gate, copied from where the attention looks. Input and output embeddings are one, and the output
bias starts at the words' log frequency.

Shapes: B contexts, S source words (talk, then persona), T reply words, V words, E embedding,
H states.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.dialogue import Context
from harness.text import split_words
from harness.torch.words import PAD, Words, padded

PARTNER, SELF = "__partner__", "__self__"
"""The words that head a turn in the source."""


@dataclass(frozen=True)
class Config:
    """The shape of a model, as stored in config.json; lengths in words, the latest are kept."""

    embedding: int = 192
    states: int = 256
    dropout: float = 0.2
    talk: int = 48
    persona: int = 64


@dataclass(frozen=True)
class Source:
    """One context in words: the end of the talk with its speakers, and the persona."""

    talk: list[str]
    persona: list[str]


@dataclass(frozen=True)
class State:
    """What the decoder carries from one word to the next, `[B, H]` each."""

    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True)
class Memory:
    """Encoded contexts: what is attended over `[B, S, H]`, where it is real bool `[B, S]`."""

    values: Tensor
    real: Tensor
    start: State


@dataclass(frozen=True)
class Step:
    """A distribution in two parts: over the vocabulary, over the source, and the gate between.

    `logits` are log-probabilities `[B, T, V]`, `copy` attention `[B, T, S]`, `gate` `[B, T]` the
    log odds of copying.
    """

    logits: Tensor
    copy: Tensor
    gate: Tensor


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
        nn.init.constant_(self.gate.bias, -2.0)

    def source(self, context: Context) -> Source:
        """A context in words, cut to what the model reads."""
        marks = {"partner": PARTNER, "self": SELF}
        talk = [w for t in context.turns for w in (marks[t.speaker], *split_words(t.text))]
        persona = [word for sentence in context.persona for word in split_words(sentence)]
        return Source(talk[-self.config.talk :], persona[: self.config.persona])

    def encode(self, sources: Sequence[Source]) -> Memory:
        """Read contexts; padding stands at the right of each part and changes nothing."""
        talk = padded([self.words.numbers(source.talk) for source in sources])  # [B, S1]
        persona = padded([self.words.numbers(source.persona) for source in sources])  # [B, S2]
        states, _ = self.encoder(self.dropout(self.embedding(talk)))  # [B, S1, H]
        last = (talk != PAD).sum(1).clamp(min=1) - 1
        hidden = states[torch.arange(len(sources)), last]  # [B, H]
        facts = torch.tanh(self.persona(self.dropout(self.embedding(persona))))  # [B, S2, H]
        return Memory(
            values=torch.cat([states, facts], dim=1),
            real=torch.cat([talk != PAD, persona != PAD], dim=1),
            start=State(hidden, torch.zeros_like(hidden)),
        )

    def decode(self, memory: Memory, state: State, inputs: Tensor) -> tuple[Step, State]:
        """Read reply words `[B, T]`; the distribution after each, and the state after the last."""
        before = (state.hidden[None], state.cell[None])
        states, (hidden, cell) = self.decoder(self.dropout(self.embedding(inputs)), before)
        match = torch.einsum("bth,bsh->bts", self.ask(states), memory.values)
        match = match.masked_fill(~memory.real[:, None], -1e4).softmax(-1)  # [B, T, S]
        both = torch.cat([states, match @ memory.values], dim=-1)  # [B, T, 2H]
        output = self.dropout(torch.tanh(self.combine(both)))  # [B, T, E]
        logits = (output @ self.embedding.weight.T + self.bias).log_softmax(-1)
        return Step(logits, match, self.gate(both).squeeze(-1)), State(hidden[0], cell[0])

    def log_likelihood(
        self, memory: Memory, sources: Sequence[Source], replies: Sequence[Sequence[str]]
    ) -> Tensor:
        """ln p of each word of each reply and of its end `[B, T]`, zero where padded."""
        inputs, targets = self.teach(replies)
        step, _ = self.decode(memory, memory.start, inputs)
        return log_probability(step, targets, self.copies(memory, sources, replies))

    def teach(self, replies): ...
