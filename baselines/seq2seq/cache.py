"""What the agent keeps between calls: bounded, and never needed for an answer to be right."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from model import Memory, State, Step
from torch import Tensor

from harness import Context

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `size` values by key; the one that was used longest ago is forgotten first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, now the latest used, or None."""
        if key not in self.values:
            return None
        self.values.move_to_end(key)
        return self.values[key]

    def put(self, key: Key, value: Value) -> None:
        """Remember the value as the latest used."""
        self.values[key] = value
        self.values.move_to_end(key)
        while len(self.values) > self.size:
            self.values.popitem(last=False)


@dataclass(frozen=True)
class Decoding:
    """One context with the decoder's state `[1, H]` after the inputs it has read."""

    context: Context
    memory: Memory
    read: tuple[int, ...]
    hidden: Tensor
    cell: Tensor

    @classmethod
    def begin(cls, context: Context, memory: Memory) -> "Decoding":
        """Nothing read yet."""
        return cls(context, memory, (), memory.start, memory.start)

    def towards(self, inputs: tuple[int, ...]) -> "Decoding":
        """This decoding if reading on from it ends in `inputs`, else its beginning."""
        read = len(self.read)
        if read < len(inputs) and inputs[:read] == self.read:
            return self
        return self.begin(self.context, self.memory)

    def after(self, inputs: tuple[int, ...], step: Step, *, row: int) -> "Decoding":
        """The decoding once `inputs` are read, its state being a row of a step."""
        hidden, cell = step.state.hidden[row : row + 1], step.state.cell[row : row + 1]
        return Decoding(self.context, self.memory, inputs, hidden.clone(), cell.clone())


def states(decodings: list[Decoding]) -> State:
    """The states of decodings as one batch."""
    return State(
        torch.cat([decoding.hidden for decoding in decodings]),
        torch.cat([decoding.cell for decoding in decodings]),
    )
