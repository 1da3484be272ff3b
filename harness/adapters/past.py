"""A causal language model that reads on from what it has read: keys and values kept by context.

The pasts of several texts are joined into one batch, padded on the left and masked, so that texts
of any length are read on together.
"""

import inspect
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

Layers = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, `[heads, pieces, size]` each."""

_ROWS = 16
"""Texts read at a time: the scores of their last pieces are what takes room."""

_WIDTH = 256
"""Pieces of paths that are read side by side in one row."""

_PADDED = 8192
"""Rows times the pieces that each has before and beside it, in one call."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was read of a text, and the model's keys and values of it."""

    pieces: tuple[int, ...]
    layers: Layers
    shares: NDArray[np.float32]


_NOTHING = Past((), [], np.zeros(0, np.float32))


class Reader:
    """Reads texts as pieces; bounded to the pasts of the `keep` contexts read last.

    A model whose past is not plain keys and values (sliding windows, recurrent states) is read
    from the beginning each time: slower, and as right.
    """

    def __init__(self, model: Any, *, keep: int) -> None:  # Any: a causal LM of transformers
        self._model = model
        self._keep = keep
        self._known: OrderedDict[str, Past] = OrderedDict()
        self._placed = "position_ids" in inspect.signature(model.forward).parameters

    def read(self, names: Sequence[str], texts: Sequence[Sequence[int]]) -> list[Past]:
        """Every text read to its end; each holds at least one piece.

        `names[i]` is what a past is kept under; it is used as far as the pieces are the same.
        """
        told = [self._told(name, text) for name, text in zip(names, texts, strict=True)]
        unread = [n for n, text in enumerate(texts) if len(told[n].pieces) < len(text)]
        unread.sort(key=lambda n: (len(texts[n]) - len(told[n].pieces), n))
        for start in range(0, len(unread), _ROWS):
            part = unread[start : start + _ROWS]
            read = self._read_on([told[n] for n in part], [texts[n] for n in part])
            for number, past in zip(part, read, strict=True):
                told[number] = past
        for name, past in zip(names, told, strict=True):
            self._remember(name, past)
        return told

    def branch(self, pasts: Sequence[Past], paths: Sequence[Sequence[int]]) -> list[Tensor]:
        """The log-probabilities after each piece of path i, which follows text i: `[path, pieces]`.

        The paths of one text are read side by side in one row, none seeing another, so that its
        past is there once. Nothing of it is kept.
        """
        found: list[Tensor] = [torch.empty(0)] * len(paths)
        for part in _rows_of(pasts, paths):
            if pasts[part[0][0]].layers:
                scores = self._side_by_side(pasts, paths, part)
                for row, numbers in enumerate(part):
                    lengths = [len(paths[number]) for number in numbers]
                    own = torch.split(scores[row, : sum(lengths)], lengths)
                    found = _placed(found, numbers, own)
            else:
                for numbers in part:
                    found = _placed(found, numbers, self._anew(pasts, paths, numbers))
        return found

    def _side_by_side(
        self, pasts: Sequence[Past], paths: Sequence[Sequence[int]], rows: list[list[int]]
    ) -> Tensor:
        """One row a text, its paths one after the other: `[rows, pieces of the paths, pieces]`."""
        known = [pasts[numbers[0]] for numbers in rows]
        fresh = [[piece for number in numbers for piece in paths[number]] for numbers in rows]
        before, width = max(len(past.pieces) for past in known), max(map(len, fresh))
        sees = torch.zeros(len(rows), 1, width, before + width, dtype=torch.bool)
        places = torch.zeros(len(rows), width, dtype=torch.long)
        for row, (past, numbers) in enumerate(zip(known, rows, strict=True)):
            read, start = len(past.pieces), 0
            sees[row, 0, :, before - read : before] = True
            for number in numbers:
                end = start + len(paths[number])
                own = torch.ones(end - start, end - start, dtype=torch.bool).tril()
                sees[row, 0, start:end, before + start : before + end] = own
                places[row, start:end] = torch.arange(read, read + end - start)
                start = end
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        for row, pieces in enumerate(fresh):
            ids[row, : len(pieces)] = torch.tensor(pieces)
        scores, _ = self._ask(ids, _as_weights(sees, self._model.dtype), places, known, before)
        return scores

    def _anew(
        self, pasts: Sequence[Past], paths: Sequence[Sequence[int]], numbers: list[int]
    ) -> list[Tensor]:
        """The paths of one text whose past is not known, each read from the beginning."""
        begun = pasts[numbers[0]].pieces
        found: list[Tensor] = []
        for start in range(0, len(numbers), _ROWS):
            part = [paths[number] for number in numbers[start : start + _ROWS]]
            texts = [(*begun, *path) for path in part]
            own = list(range(len(begun), max(map(len, texts))))
            scores, _ = self._run([_NOTHING] * len(texts), texts, keep=own)
            found += [scores[row, : len(path)] for row, path in enumerate(part)]
        return found

    def _told(self, name: str, text: Sequence[int]) -> Past:
        """The known past as far as the text agrees with it; at least one piece stays to be read."""
        past = self._known.get(name, _NOTHING)
        if past.pieces == tuple(text):
            return past
        same = 0
        for mine, theirs in zip(past.pieces, text[:-1], strict=False):
            if mine != theirs:
                break
            same += 1
        if not past.layers or not same:
            return _NOTHING
        layers = [(keys[:, :same], values[:, :same]) for keys, values in past.layers]
        return Past(tuple(text[:same]), layers, past.shares)

    def _read_on(self, pasts: list[Past], texts: list[Sequence[int]]) -> list[Past]:
        fresh = [text[len(past.pieces) :] for past, text in zip(pasts, texts, strict=True)]
        keep = sorted({len(pieces) - 1 for pieces in fresh})
        scores, layers = self._run(pasts, fresh, keep=keep)
        width = max(len(past.pieces) for past in pasts)
        found = []
        for row, (past, text) in enumerate(zip(pasts, texts, strict=True)):
            shares = scores[row, keep.index(len(fresh[row]) - 1)].exp().cpu().numpy()
            start, end = width - len(past.pieces), width + len(fresh[row])
            kept = [(k[row, :, start:end].clone(), v[row, :, start:end].clone()) for k, v in layers]
            found.append(Past(tuple(text), kept, shares))
        return found

    def _run(
        self, pasts: Sequence[Past], fresh: Sequence[Sequence[int]], *, keep: list[int]
    ) -> tuple[Tensor, Layers]:
        """Log-probabilities `[rows, kept places, pieces]`, and the layers `[rows, heads, ...]`.

        Pasts are padded on the left, fresh pieces on the right: every row sees something real,
        and no row sees padding.
        """
        before, width = max(len(past.pieces) for past in pasts), max(map(len, fresh))
        ids = torch.zeros(len(fresh), width, dtype=torch.long)
        mask = torch.zeros(len(fresh), before + width, dtype=torch.long)
        places = torch.zeros(len(fresh), width, dtype=torch.long)
        for row, (past, pieces) in enumerate(zip(pasts, fresh, strict=True)):
            read, new = len(past.pieces), len(pieces)
            ids[row, :new] = torch.tensor(pieces)
            mask[row, before - read : before + new] = 1
            places[row] = torch.arange(read, read + width).clamp(max=read + new - 1)
        return self._ask(ids, mask, places, pasts, before, keep=keep)

    @torch.inference_mode()
    def _ask(
        self,
        ids: Tensor,
        mask: Tensor,
        places: Tensor,
        pasts: Sequence[Past],
        before: int,
        *,
        keep: list[int] | None = None,
    ) -> tuple[Tensor, Layers]:
        device = self._model.device
        options = {"position_ids": places.to(device)} if self._placed else {}
        if keep is not None:
            options["logits_to_keep"] = torch.tensor(keep, device=device)
        out = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=_joined(pasts, before) if before else None,
            use_cache=True,
            **options,
        )
        return torch.log_softmax(out.logits.float(), dim=-1), _layers(out.past_key_values)

    def _remember(self, name: str, past: Past) -> None:
        self._known[name] = past
        self._known.move_to_end(name)
        while len(self._known) > self._keep:
            self._known.popitem(last=False)


def _rows_of(pasts: Sequence[Past], paths: Sequence[Sequence[int]]) -> Iterator[list[list[int]]]:
    """The numbers of paths by rows, and rows by call: one text a row, like widths together."""
    by_text: dict[int, list[int]] = {}
    for number, past in enumerate(pasts):
        by_text.setdefault(id(past), []).append(number)
    rows = [row for numbers in by_text.values() for row in _cut(numbers, paths)]
    rows.sort(key=lambda row: (bool(pasts[row[0]].layers), sum(len(paths[n]) for n in row)))
    part: list[list[int]] = []
    for row in rows:
        size = len(pasts[row[0]].pieces) + sum(len(paths[n]) for n in row)
        plain = part and bool(pasts[part[0][0]].layers) == bool(pasts[row[0]].layers)
        if part and (not plain or (len(part) + 1) * size > _PADDED):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _cut(numbers: list[int], paths: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    row: list[int] = []
    width = 0
    for number in numbers:
        if row and width + len(paths[number]) > _WIDTH:
            yield row
            row, width = [], 0
        row.append(number)
        width += len(paths[number])
    yield row


def _placed(found: list[Tensor], numbers: list[int], values: Sequence[Tensor]) -> list[Tensor]:
    for number, value in zip(numbers, values, strict=True):
        found[number] = value
    return found


def _as_weights(sees: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask as attention adds it: 0 where a piece sees, the least number elsewhere."""
    return torch.zeros(sees.shape, dtype=dtype).masked_fill(~sees, torch.finfo(dtype).min)


def _joined(pasts: Sequence[Past], width: int) -> DynamicCache:
    """The pasts as one, padded on the left to `width` pieces."""
    like = next(past.layers for past in pasts if past.layers)

    def side(layer: int, which: int) -> Tensor:
        heads, _, size = like[layer][which].shape
        joined = like[layer][which].new_zeros(len(pasts), heads, width, size)
        for row, past in enumerate(pasts):
            if past.layers:
                joined[row, :, width - len(past.pieces) :] = past.layers[layer][which]
        return joined

    return DynamicCache([(side(layer, 0), side(layer, 1)) for layer in range(len(like))])


def _layers(cache: Any) -> Layers:  # Any: a cache of transformers
    """The keys and values of a plain cache; none where the model keeps its past otherwise."""
    layers = getattr(cache, "layers", None)
    if layers is None or any(type(layer) is not DynamicLayer for layer in layers):
        return []
    return [(layer.keys, layer.values) for layer in layers]
