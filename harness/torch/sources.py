"""Where the replies come from that a ranker chooses among: a table of candidate sources.

A pool holds each text once, however many rows choose from it, so that it is encoded once. Shapes:
B rows, N texts of the pool, C candidates of a row, L words of a text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor

from harness.errors import UsageError
from harness.text import SPECIALS, normalise
from harness.torch.batch import Batch, Ids, Observation
from harness.torch.vectors import MARKS, Vectoriser
from harness.torch.words import Words, padded

Source = Literal["inline", "batch", "batch-all", "fixed", "vocabulary"]

key = lru_cache(maxsize=1 << 16)(normalise)
"""Two replies are the same if their keys are: the rule by which hits are counted."""


@dataclass(frozen=True)
class Pool:
    """Distinct texts with their ids, and which of them each row chooses from.

    `places` says which texts a row's candidates are, None where each row has all. `counts` is
    False where a candidate is only padding, or right for the row beside its target. `targets` are
    the places of the right replies among a row's candidates, None without labels.
    """

    texts: tuple[str, ...]
    vectors: Tensor  # [N, L]
    places: Tensor | None = None  # [B, C]
    counts: Tensor | None = None  # bool [B, C]
    targets: Tensor | None = None  # [B]

    def own_vectors(self) -> Tensor:
        """Ids of candidates: `[N, L]` where each row has all, else `[B, C, L]`.

        In the latter, what does not count is only padding.
        """
        if self.places is None:
            return self.vectors
        vectors = self.vectors[self.places]
        return vectors if self.counts is None else vectors * self.counts[..., None]

    def own(self, encodings: Tensor) -> Tensor:
        """Encodings of the texts `[N, D]` as those of candidates, `[N, D]` or `[B, C, D]`."""
        return encodings if self.places is None else encodings[self.places]

    def to(self, device: torch.device) -> "Pool":
        """The same pool with its tensors on a device."""
        return Pool(
            self.texts,
            self.vectors.to(device),
            places=None if self.places is None else self.places.to(device),
            counts=None if self.counts is None else self.counts.to(device),
            targets=None if self.targets is None else self.targets.to(device),
        )


@dataclass(frozen=True)
class Fixed:
    """A list of replies to choose from, whatever the context: distinct texts with their ids."""

    texts: tuple[str, ...]
    vecs: tuple[Ids, ...]
    columns: Mapping[str, tuple[int, ...]]  # the places of the texts that are one reply

    @classmethod
    def of(cls, texts: Sequence[str], *, vectoriser: Vectoriser) -> "Fixed":
        """Texts in their order, each once; `UsageError` where there is none."""
        distinct = tuple(dict.fromkeys(texts))
        if not distinct:
            raise UsageError("a list of fixed candidates needs a reply")
        columns: dict[str, list[int]] = {}
        for place, text in enumerate(distinct):
            columns.setdefault(normalise(text), []).append(place)
        vecs = tuple(map(vectoriser.reply, distinct))
        return cls(distinct, vecs, {name: tuple(found) for name, found in columns.items()})

    @classmethod
    def words(cls, words: Words) -> "Fixed":
        """Every word of a vocabulary but the marks, as a reply of one word."""
        known = [(word, i) for i, word in enumerate(words.words) if word not in (*SPECIALS, *MARKS)]
        columns = {word: (place,) for place, (word, _) in enumerate(known)}
        return cls(tuple(w for w, _ in known), tuple((i,) for _, i in known), columns)

    @cached_property
    def pool(self) -> Pool:
        """The list as a pool, without labels."""
        return Pool(self.texts, padded(self.vecs))


def inline(batch: Batch) -> Pool:
    """Each row's own candidates; a label that is not among them is added to its row."""
    rows = [_with_label(row) for row in batch.observations]
    texts = dict.fromkeys(text for row in rows for text, _ in row)
    if not any(row.candidates for row in batch.observations):
        raise UsageError(
            "these examples have no candidates; take a set that has, or another source: "
            "ranking.candidates (training) and ranking.eval_candidates (validation)"
        )
    numbers = {text: number for number, text in enumerate(texts)}
    ids = {text: vec for row in rows for text, vec in row}
    width = max(map(len, rows))
    counts = torch.zeros(len(rows), width, dtype=torch.bool)
    targets = torch.zeros(len(rows), dtype=torch.long)
    for place, (row, observation) in enumerate(zip(rows, batch.observations, strict=True)):
        right = set(map(key, observation.labels))
        hits = [number for number, (text, _) in enumerate(row) if right and key(text) in right]
        counts[place, : len(row)] = True
        counts[place, hits[1:]] = False
        targets[place] = hits[0] if hits else 0
    return Pool(
        texts=tuple(texts),
        vectors=padded([ids[text] for text in texts]),
        places=padded([[numbers[text] for text, _ in row] for row in rows]),
        counts=counts,
        targets=targets if batch.labels is not None else None,
    )


def in_batch(batch: Batch) -> Pool:
    """The labels of the batch, for every row."""
    return _shared(batch, {row.labels[0]: row.label for row in batch.observations if row.labels})


def batch_all(batch: Batch) -> Pool:
    """The labels and the candidates of all rows of the batch, for every row."""
    found = {text: vec for row in batch.observations for text, vec in _with_label(row)}
    return _shared(batch, found)


def from_list(batch: Batch, fixed: Fixed) -> Pool:
    """A fixed list, with the labels of the batch that it lacks at its end."""
    found = dict(zip(fixed.texts, fixed.vecs, strict=True))
    for row in batch.observations:
        if row.labels and not any(key(label) in fixed.columns for label in row.labels):
            found[row.labels[0]] = row.label
    return _shared(batch, found)


FROM_BATCH: Mapping[Source, Callable[[Batch], Pool]] = {
    "inline": inline,
    "batch": in_batch,
    "batch-all": batch_all,
}
"""The sources that need nothing but the batch; `fixed` and `vocabulary` are lists."""


def unlabelled(batch: Batch) -> Batch:
    """The batch as it is asked, without the right replies."""
    rows = tuple(replace(row, labels=(), label=()) for row in batch.observations)
    return replace(batch, observations=rows, labels=None, label_vec=None, label_lengths=None)


def sampled(pool: Pool, *, negatives: int) -> Pool:
    """The pool with its right replies and at most `negatives` others, drawn by torch's chance.

    Others are drawn once for all rows where the rows share the pool, else for each row.
    """
    assert pool.targets is not None
    if pool.places is None:
        keep = torch.unique(pool.targets)
        others = torch.ones(len(pool.texts), dtype=torch.bool)
        others[keep] = False
        drawn = others.nonzero()[:, 0]
        drawn = drawn[torch.randperm(len(drawn))[:negatives]]
        chosen = torch.cat([keep, drawn]).sort().values
        return Pool(
            texts=tuple(pool.texts[number] for number in chosen.tolist()),
            vectors=pool.vectors[chosen],
            counts=pool.counts[:, chosen] if pool.counts is not None else None,
            targets=torch.searchsorted(chosen, pool.targets),
        )
    assert pool.counts is not None
    chance = torch.rand(pool.places.shape).masked_fill(~pool.counts, -1.0)
    chance.scatter_(1, pool.targets[:, None], 2.0)  # the target is always among the first
    best = chance.topk(min(negatives + 1, chance.shape[1]), dim=1).indices
    return replace(
        pool,
        places=pool.places.gather(1, best),
        counts=pool.counts.gather(1, best),
        targets=torch.zeros_like(pool.targets),
    )


def _with_label(row: Observation) -> list[tuple[str, Ids]]:
    """A row's candidates with their ids, and its label where it is not among them."""
    found = list(zip(row.candidates, row.candidate_vecs, strict=True))
    right = set(map(key, row.labels))
    if row.labels and not any(key(text) in right for text in row.candidates):
        found.append((row.labels[0], row.label))
    return found


def _shared(batch: Batch, found: Mapping[str, Ids]) -> Pool:
    """One list for all rows; what equals a row's labels beside its target does not count."""
    texts = tuple(found)
    pool = Pool(texts, padded(list(found.values())))
    if batch.labels is None:
        return pool
    columns: dict[str, list[int]] = {}
    for column, text in enumerate(texts):
        columns.setdefault(key(text), []).append(column)
    counts = torch.ones(len(batch), len(texts), dtype=torch.bool)
    targets = torch.zeros(len(batch), dtype=torch.long)
    for place, row in enumerate(batch.observations):
        right = [column for label in row.labels for column in columns.get(key(label), ())]
        counts[place, right] = False
        counts[place, right[0]] = True
        targets[place] = right[0]
    return replace(pool, counts=counts, targets=targets)
