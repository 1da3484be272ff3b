"""Encodings of the candidates that came with questions, kept by text: a reply comes again.

A set's candidates are replies of other examples, so most of them are asked for many times. What
is kept is bounded and never needed: a text that was forgotten is encoded again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.torch.batch import Ids
from harness.torch.words import padded

MAX_NUMBERS = 1 << 24
"""Ids, and numbers of encodings, that are kept at most."""


@dataclass(frozen=True)
class Found:
    """The candidates of a batch; beyond a row's own all is padding and zero."""

    vectors: Tensor  # [B, C, L]
    encodings: Tensor  # [B, C, D]


class Bank:
    """At most `size` texts with their ids `[N, L]` and encodings `[N, D]`.

    A batch that needs more than there is room for gets it, and all is forgotten after.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.forget()

    def __len__(self) -> int:
        return len(self._places)

    def forget(self) -> None:
        """The weights have moved, or there is no room."""
        self._places: dict[str, int] = {}
        self._vectors: Tensor | None = None
        self._encodings: Tensor | None = None

    def of(
        self,
        rows: Sequence[Sequence[str]],
        *,
        ids: Callable[[str], Ids],
        encode: Callable[[Tensor], Tensor | None],
    ) -> Found | None:
        """The candidates of rows, what is not known encoded first; None if nothing can be."""
        known = self._places
        fresh = {text: None for row in rows for text in row if text not in known}
        if len(known) + len(fresh) > self.size:
            self.forget()
            known, fresh = self._places, dict.fromkeys(text for row in rows for text in row)
        if fresh and not self._learn(list(fresh), ids=ids, encode=encode):
            return None
        if self._vectors is None or self._encodings is None:
            return None
        places = padded([[known[text] for text in row] for row in rows]).to(self._vectors.device)
        found = Found(self._vectors[places], self._encodings[places])
        if self._vectors.numel() + self._encodings.numel() > MAX_NUMBERS or len(known) > self.size:
            self.forget()
        return found

    def _learn(
        self,
        texts: Sequence[str],
        *,
        ids: Callable[[str], Ids],
        encode: Callable[[Tensor], Tensor | None],
    ) -> bool:
        """Encode and keep; whether there is something to keep."""
        rows = [ids(text) for text in texts]
        encodings = in_order_of_length(rows, encode)
        if encodings is None:
            return False
        start = 1 + len(self._places)  # place 0 is nobody's
        vectors = padded(rows).to(encodings.device)
        self._vectors = _grown(self._vectors, vectors, start=start)
        self._encodings = _grown(self._encodings, encodings, start=start)
        self._places.update(zip(texts, range(start, start + len(texts)), strict=True))
        return True


def in_order_of_length(
    rows: Sequence[Ids], encode: Callable[[Tensor], Tensor | None], *, size: int = 512
) -> Tensor | None:
    """`encode` of many texts, in pieces of like length, as `[N, D]` in the order of `rows`."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    parts = []
    for start in range(0, len(order), size):
        part = encode(padded([rows[place] for place in order[start : start + size]]))
        if part is None:
            return None
        parts.append(part)
    found = torch.cat(parts)
    back = torch.empty_like(found)
    back[torch.tensor(order, device=found.device)] = found
    return back


def _grown(held: Tensor | None, more: Tensor, *, start: int) -> Tensor:
    """`held` with rows `more` from `start` on; it doubles where it has no room for them."""
    stop, width = start + len(more), more.shape[1]
    if held is None:
        held = more.new_zeros(stop, width)
    if stop > len(held) or width > held.shape[1]:
        length = max(stop, 2 * len(held)) if stop > len(held) else len(held)
        grown = held.new_zeros(length, max(width, held.shape[1]))  # PAD is 0
        grown[:start, : held.shape[1]] = held[:start]
        held = grown
    held[start:stop, :width] = more
    return held
