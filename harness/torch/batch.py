"""A batch is what a model reads: observations as padded tensors, with the way back to them.

Shapes: B rows, T words of text, R words of reply, C candidates, M memories, L words of a memory.
Ids are int64, padding is `harness.torch.words.PAD` and stands on the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from harness.dialogue import Context
from harness.torch.words import PAD, padded

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Observation:
    """One context as ids, and what is known beside it; made by `TorchAgent.vectorize`.

    `text` is never empty. `labels` are the right replies (training, validation), the first one is
    `label` in ids; `candidates` are to be ranked, `candidate_vecs` the same in ids.
    """

    context: Context
    text: Ids
    label: Ids = ()
    labels: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    candidate_vecs: tuple[Ids, ...] = ()
    memories: tuple[Ids, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Observations that a model reads at once; row i is `observations[i]`.

    `valid_indices[i]` is the place of row i in what `batchify` was given: rows are sorted by
    length and what cannot be used is left out. `label_vec`, `label_lengths` are None where a row
    has no label, `memory_vecs` where no row has a memory; a memory that a row lacks is all padding.
    """

    text_vec: Tensor  # [B, T]
    text_lengths: Tensor  # [B]
    valid_indices: tuple[int, ...]
    observations: tuple[Observation, ...]
    label_vec: Tensor | None = None  # [B, R]
    label_lengths: Tensor | None = None  # [B]
    labels: tuple[str, ...] | None = None  # the first label of each row
    candidates: tuple[tuple[str, ...], ...] | None = None  # as many a row as it has
    candidate_vecs: tuple[tuple[Ids, ...], ...] | None = None
    memory_vecs: Tensor | None = None  # [B, M, L]

    def __len__(self) -> int:
        return len(self.observations)

    @property
    def text_mask(self) -> Tensor:
        """True where the text is, bool `[B, T]`."""
        places = torch.arange(self.text_vec.shape[1], device=self.text_vec.device)
        return places[None] < self.text_lengths[:, None]

    @property
    def contexts(self) -> list[Context]:
        """The context of each row."""
        return [observation.context for observation in self.observations]

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on a device."""
        if self.text_vec.device == device:
            return self
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        moved: dict[str, Any] = {  # Any: fields that hold tensors
            name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class Output:
    """What a model answers to a batch, row by row; None for what was not asked.

    `text` is the reply; `text_candidates` are alternatives, the best first; `scores` belong to
    `batch.candidates`, in their order, higher is better.
    """

    text: Sequence[str] | None = None
    text_candidates: Sequence[Sequence[str]] | None = None
    scores: Sequence[Sequence[float]] | None = None


@dataclass(frozen=True)
class Answer:
    """The part of an `Output` that belongs to one observation; empty where it had no row."""

    text: str = ""
    text_candidates: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Metrics:
    """Sums over a batch or many, with what to divide them by: add with `+`, read with `mean`.

    `totals` holds (sum, weight) by name: a loss weighs examples or words.
    """

    totals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __add__(self, other: "Metrics") -> "Metrics":
        joint = dict(self.totals)
        for name, (value, weight) in other.totals.items():
            before = joint.get(name, (0.0, 0.0))
            joint[name] = (before[0] + value, before[1] + weight)
        return Metrics(joint)

    def mean(self, name: str) -> float:
        """The mean of a measure; NaN where nothing was measured."""
        value, weight = self.totals.get(name, (0.0, 0.0))
        return value / weight if weight else float("nan")

    def means(self) -> dict[str, float]:
        """Every mean by name."""
        return {name: self.mean(name) for name in self.totals}


@dataclass(frozen=True)
class Loss:
    """What one batch costs: `mean` is differentiated, `metrics` are reported."""

    mean: Tensor  # []
    metrics: Metrics


def batchify(observations: Sequence[Observation], *, valid: Sequence[int] | None = None) -> Batch:
    """Observations as one batch, the longest text first; `valid` are the places that may enter.

    Equal lengths keep their order. ValueError where nothing is valid.
    """
    places = list(range(len(observations)) if valid is None else valid)
    if not places:
        raise ValueError("a batch needs an observation")
    places.sort(key=lambda place: -len(observations[place].text))
    rows = tuple(observations[place] for place in places)
    texts = [row.text for row in rows]
    labelled = all(row.labels for row in rows)
    inline = any(row.candidates for row in rows)
    return Batch(
        text_vec=padded(texts),
        text_lengths=_lengths(texts),
        valid_indices=tuple(places),
        observations=rows,
        label_vec=padded([row.label for row in rows]) if labelled else None,
        label_lengths=_lengths([row.label for row in rows]) if labelled else None,
        labels=tuple(row.labels[0] for row in rows) if labelled else None,
        candidates=tuple(row.candidates for row in rows) if inline else None,
        candidate_vecs=tuple(row.candidate_vecs for row in rows) if inline else None,
        memory_vecs=stacked([row.memories for row in rows]),
    )


def match_batch(count: int, batch: Batch, output: Output) -> list[Answer]:
    """The output by observation: answer i belongs to what was at place i of `batchify`'s list.

    `count` is the length of that list; a place without a row gets an empty answer.
    """
    answers = [Answer()] * count
    for row, place in enumerate(batch.valid_indices):
        answers[place] = Answer(
            text=output.text[row] if output.text is not None else "",
            text_candidates=tuple(output.text_candidates[row]) if output.text_candidates else (),
            scores=tuple(output.scores[row]) if output.scores is not None else (),
        )
    return answers


def stacked(rows: Sequence[Sequence[Sequence[int]]]) -> Tensor | None:
    """Lists of texts as `[B, M, L]`; None where all are empty."""
    count = max(map(len, rows), default=0)
    if count == 0:
        return None
    flat = [text for row in rows for text in (*row, *([()] * (count - len(row))))]
    return padded(flat).view(len(rows), count, -1)


def present(vectors: Tensor) -> Tensor:
    """True where a text is and not only padding, bool `[..., N]` for ids `[..., N, L]`."""
    return vectors.ne(PAD).any(-1)


def _lengths(rows: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([len(row) for row in rows], dtype=torch.long)
