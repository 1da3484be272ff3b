"""The baseline of ConvAI2 as it was: two-layer LSTMs, attention after the decoder, nothing copied.

Embeddings of 256 are shared by encoder and decoder, the output layer has its own; attention is
Luong's "general" (2015). The encoder's last states are the decoder's first. To be trained as it
was (SGD, the whole history flat, no marks) by the recipe in `train.py`.

Shapes: B contexts, R rows of replies, S words of the text, T reply words, V words of the
vocabulary, E embedding, H states, L layers.
"""

from dataclasses import dataclass

import torch
from model import Shape
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.torch.batch import Batch
from harness.torch.generation.decoder import TorchGeneratorModel
from harness.torch.words import PAD

State = tuple[Tensor, Tensor]
"""Hidden and cell of every layer, `[R, L, H]` each."""


@dataclass(frozen=True)
class Encoded:
    """What is attended over, where it is real, and the encoder's last state."""

    states: Tensor  # [B, S, H]
    real: Tensor  # [B, S]
    last: State


class Original(TorchGeneratorModel[Encoded, State]):
    """The model of 2018; memories are not read."""

    def __init__(self, words: int, shape: Shape) -> None:
        super().__init__()
        wide, size = shape.embedding, shape.size
        self.embedding = nn.Embedding(words, wide, padding_idx=PAD)
        between = shape.dropout if shape.layers > 1 else 0.0
        self.encoder = nn.LSTM(wide, size, shape.layers, batch_first=True, dropout=between)
        self.decoder = nn.LSTM(wide, size, shape.layers, batch_first=True, dropout=between)
        self.ask = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.narrow = nn.Linear(size, wide, bias=False)
        self.words = nn.Linear(wide, words, bias=False)
        self.dropout = nn.Dropout(shape.dropout)

    def encode(self, batch: Batch) -> Encoded:
        """Read the text; packed, so that the last state is that of the last real word."""
        vectors = self.dropout(self.embedding(batch.text_vec))
        packed = pack_padded_sequence(vectors, batch.text_lengths.cpu(), batch_first=True)
        out, (hidden, cell) = self.encoder(packed)
        states, _ = pad_packed_sequence(out, batch_first=True)
        return Encoded(states, batch.text_mask, (hidden.transpose(0, 1), cell.transpose(0, 1)))

    def decode(self, tokens: Tensor, encoded: Encoded, cache: State | None) -> tuple[Tensor, State]:
        """Read reply words; attention follows the decoder."""
        hidden, cell = (part.transpose(0, 1).contiguous() for part in cache or encoded.last)
        out, (hidden, cell) = self.decoder(self.dropout(self.embedding(tokens)), (hidden, cell))
        match = self.ask(out) @ encoded.states.transpose(1, 2)  # [R, T, S]
        look = match.masked_fill(~encoded.real[:, None], -1e4).softmax(-1)
        both = torch.cat([out, look @ encoded.states], dim=-1)
        return torch.tanh(self.combine(both)), (hidden.transpose(0, 1), cell.transpose(0, 1))

    def output(self, hidden: Tensor) -> Tensor:
        """The logits of the words."""
        logits: Tensor = self.words(self.dropout(self.narrow(hidden)))
        return logits
