"""What a search needs of a model: a step for many rows at once, and rows in another order.

Shapes: B contexts, R rows (hypotheses, any number a context), T words of a reply, V words of the
model, H hidden values.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.torch.batch import Batch

AT_ONCE = 256
"""Words whose logits a CPU computes at once: a few megabytes, which its cache holds (twice as fast
as thousands)."""

S = TypeVar("S")
E = TypeVar("E")
C = TypeVar("C")


class Decoder(Protocol[S]):
    """All that the searches call; a state is never changed, a step gives a new one."""

    def step(self, tokens: Tensor, state: S) -> tuple[Tensor, S]:
        """Read one token a row, `[R]`: ln p of what follows, `[R, V]`, and the state after it."""

    def reorder(self, state: S, rows: Tensor) -> S:
        """The state of these rows `[R']`, in this order, each as often as it is named."""


class TorchGeneratorModel(nn.Module, ABC, Generic[E, C]):
    """A model with an encoder and a causal decoder, in the field's names.

    What `encode` gives and the cache that `decode` carries are trees (see `select`) of tensors
    whose first dimension is the row: so hypotheses change places, contexts leave a batch, and
    states are kept from one call to the next. A model that shares what it encoded among its rows
    overrides the two reorderings. One whose words do not come from its `output` alone (it copies
    from the context, say) overrides `next_words` and `given_words`, which must agree.
    """

    @abstractmethod
    def encode(self, batch: Batch) -> E:
        """What is known of each row of a batch; padding must change nothing."""

    @abstractmethod
    def decode(self, tokens: Tensor, encoded: E, cache: C | None) -> tuple[Tensor, C]:
        """Read `[R, T]` after what the cache has seen (None: nothing), of replies of any length.

        The hidden values after each token `[R, T, H]`, and the cache after the last. T tokens at
        once must give what they give one by one.
        """

    @abstractmethod
    def output(self, hidden: Tensor) -> Tensor:
        """The logits of the next word, `[..., H]` to `[..., V]`."""

    def next_words(self, hidden: Tensor, encoded: E) -> Tensor:
        """ln p of each word that may follow, `[R, H]` to `[R, V]`; `encoded` is of these rows."""
        return self.output(hidden).log_softmax(-1)

    def given_words(self, hidden: Tensor, encoded: E, labels: Tensor, real: Tensor) -> Tensor:
        """ln p of words that are given, `[N]`: those of `labels` `[R, T]` that are `real`.

        `hidden` `[R, T, H]` are the values before each of them, `encoded` is of these rows; in
        the order of `labels[real]`. A loss is made of it: differentiable, and `[R, T, V]` values
        (with the padding's) need never be.
        """
        before, words = hidden[real], labels[real]  # [N, H], [N]
        size = AT_ONCE if hidden.device.type == "cpu" else max(1, len(words))
        parts = zip(torch.split(before, size), torch.split(words, size), strict=True)
        return -torch.cat([F.cross_entropy(self.output(h), w, reduction="none") for h, w in parts])

    def reorder_encoder_states(self, encoded: E, rows: Tensor) -> E:
        """What was encoded, of these rows `[R']`, in this order."""
        return select(encoded, rows)

    def reorder_decoder_incremental_state(self, cache: C, rows: Tensor) -> C:
        """The cache of these rows `[R']`, in this order."""
        return select(cache, rows)


@dataclass(frozen=True)
class Decoding(Generic[E, C]):
    """A `TorchGeneratorModel` between two steps; row i decodes for context `whose[i]`."""

    encoded: E
    cache: C | None
    whose: Tensor  # [R]


class ModelDecoder(Generic[E, C]):
    """A `TorchGeneratorModel` as a `Decoder`: each step reads one token and computes one output."""

    def __init__(self, model: TorchGeneratorModel[E, C]) -> None:
        self.model = model

    def begin(self, encoded: E, count: int, *, device: torch.device) -> Decoding[E, C]:
        """Nothing read yet: a row for each of `count` contexts."""
        return Decoding(encoded, None, torch.arange(count, device=device))

    def step(self, tokens: Tensor, state: Decoding[E, C]) -> tuple[Tensor, Decoding[E, C]]:
        """Read one token a row, incrementally."""
        hidden, cache = self.model.decode(tokens[:, None], state.encoded, state.cache)
        likely = self.model.next_words(hidden[:, -1], state.encoded)
        return likely, replace(state, cache=cache)

    def reorder(self, state: Decoding[E, C], rows: Tensor) -> Decoding[E, C]:
        """Rows in another order; what was encoded moves only where rows change their context.

        The hypotheses of a beam change places inside their context at nearly each step, and what
        was encoded is the larger part of a state.
        """
        whose = state.whose[rows]
        encoded = state.encoded
        if not torch.equal(whose, state.whose):
            encoded = self.model.reorder_encoder_states(encoded, rows)
        cache = state.cache
        if cache is not None:
            cache = self.model.reorder_decoder_incremental_state(cache, rows)
        return Decoding(encoded, cache, whose)


def select(tree: S, rows: Tensor) -> S:
    """These rows of every tensor of a tree: a tensor, or a tuple, list, dict or dataclass of trees.

    Anything else (a number, None) belongs to all rows and stays.
    """
    return cast(S, _mapped(lambda parts: parts[0].index_select(0, rows), [tree]))


def join(trees: list[S]) -> S:
    """Trees of one form as one, rows after rows; narrower tensors get zeros on the right.

    A mask must therefore be False, and a length small, where nothing is.
    """
    return cast(S, _mapped(_joined, trees)) if len(trees) > 1 else trees[0]


# Any: a tree is of any type, and its form is only known when it is walked
def _mapped(change: Callable[[list[Tensor]], Tensor], trees: list[Any]) -> Any:
    first = trees[0]
    if isinstance(first, Tensor):
        return change(trees)
    if isinstance(first, dict):
        return {key: _mapped(change, [tree[key] for tree in trees]) for key in first}
    if isinstance(first, (tuple, list)):
        parts = [_mapped(change, list(part)) for part in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        values = {n: _mapped(change, [getattr(tree, n) for tree in trees]) for n in names}
        return replace(first, **values)
    return first


def _joined(parts: list[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    return torch.cat([_widened(part, shape) for part in parts])


def _widened(part: Tensor, shape: list[int]) -> Tensor:
    missing = [wide - size for wide, size in zip(shape, part.shape[1:], strict=True)]
    if not any(missing):
        return part
    return F.pad(part, [side for lack in reversed(missing) for side in (0, lack)])
