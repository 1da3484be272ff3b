"""Decoders' states kept between prefixes: bounded, and never needed for an answer to be right.

States stay together as they were computed, in blocks of many contexts; a context is a row of one
block. The rows of all blocks are bounded: each keeps what was encoded and the decoder's cache.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import torch

from harness.dialogue import Context
from harness.torch.batch import Ids
from harness.torch.generation.decoder import S, join, select


@dataclass(frozen=True)
class Block(Generic[S]):
    """A state of many rows, and which contexts still have their latest state here."""

    state: S
    rows: int
    live: set[str]


@dataclass(frozen=True)
class Place:
    """Where a context's state is: a row of a block, after the tokens `read`."""

    context: Context
    read: Ids
    block: int
    row: int


class Kept(Generic[S]):
    """The latest state of each context, in at most `size` rows; the oldest blocks go first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._blocks: OrderedDict[int, Block[S]] = OrderedDict()
        self._places: dict[str, Place] = {}
        self._rows = self._next = 0

    def __len__(self) -> int:
        return len(self._places)

    @property
    def rows(self) -> int:
        """Rows of all blocks, those that nobody uses any more included."""
        return self._rows

    def find(self, context: Context, inputs: Ids) -> Place | None:
        """A state of exactly this context from which reading on ends in `inputs`, or None."""
        place = self._places.get(context.id)
        if place is None or place.context != context or len(place.read) >= len(inputs):
            return None
        return place if inputs[: len(place.read)] == place.read else None

    def take(self, places: Sequence[Place], *, device: torch.device) -> S:
        """The states at these places as one, in their order."""
        order = list(dict.fromkeys(place.block for place in places))
        wanted = {block: [at.row for at in places if at.block == block] for block in order}
        parts = [self._part(block, wanted[block], device) for block in order]
        joined = join(parts)
        sorted_by_block = sorted(range(len(places)), key=lambda at: order.index(places[at].block))
        if sorted_by_block == list(range(len(places))):
            return joined
        back = torch.argsort(torch.tensor(sorted_by_block, device=device))
        return select(joined, back)

    def put(self, contexts: Sequence[Context], reads: Sequence[Ids], state: S) -> None:
        """Keep a state whose row i is context i after it read `reads[i]`."""
        if len(contexts) > self.size:
            return
        name, self._next = self._next, self._next + 1
        rows = {context.id: row for row, context in enumerate(contexts)}  # of twins the later
        for context_id in rows:
            self._leave(context_id)
        self._blocks[name] = Block(state, rows=len(contexts), live=set(rows))
        self._rows += len(contexts)
        for context_id, row in rows.items():
            self._places[context_id] = Place(contexts[row], reads[row], name, row)
        while self._rows > self.size:
            self._drop(next(iter(self._blocks)))

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._places.clear()
        self._rows = 0

    def _part(self, name: int, rows: list[int], device: torch.device) -> S:
        block = self._blocks[name]
        if rows == list(range(block.rows)):
            return block.state
        return select(block.state, torch.tensor(rows, device=device))

    def _leave(self, context_id: str) -> None:
        place = self._places.pop(context_id, None)
        if place is None:
            return
        live = self._blocks[place.block].live
        live.discard(context_id)
        if not live:
            self._drop(place.block)

    def _drop(self, name: int) -> None:
        block = self._blocks.pop(name)
        self._rows -= block.rows
        for context_id in block.live:
            del self._places[context_id]
