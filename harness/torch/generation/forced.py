"""What a model thinks of replies that are given: their words forced on it, all at once.

Shapes: R rows, T words of a reply, V words of the model, H hidden values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.torch.batch import Ids
from harness.torch.generation.decoder import C, E, TorchGeneratorModel
from harness.torch.words import padded

PLACES = 2048
"""Words scored at a time, padding included: the logits of a chunk are PLACES x V floats."""


@dataclass(frozen=True)
class Likelihood:
    """ln p of a reply and the number of tokens it is a sum over."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """ln p per token; zero of none."""
        return self.total / max(1, self.tokens)


def decode_forced(
    model: TorchGeneratorModel[E, C], encoded: E, labels: Tensor, *, lengths: Tensor, start: int
) -> Tensor:
    """ln p of each token of replies, `[R, T]`, given those before it; zero where padded.

    `labels` `[R, T]`, `lengths` `[R]`. The output is computed for real words only. Differentiable.
    """
    first = torch.full_like(labels[:, :1], start)
    hidden, _ = model.decode(torch.cat([first, labels[:, :-1]], dim=1), encoded, None)
    real = torch.arange(labels.shape[1], device=labels.device)[None] < lengths[:, None]
    likely = model.given_words(hidden, encoded, labels, real)  # [words]
    return likely.new_zeros(real.shape).masked_scatter(real, likely)


def likelihoods(
    model: TorchGeneratorModel[E, C],
    encoded: E,
    rows: Sequence[tuple[int, Ids]],
    *,
    start: int,
    device: torch.device,
) -> list[Likelihood]:
    """ln p of each reply (second) in the context of its number (first), in the order given.

    A reply that ends in the end token is scored with its end. Replies of like length are scored
    together, at most `PLACES` words at a time.
    """
    found = [Likelihood(0.0, 0)] * len(rows)
    for places in _alike([len(reply) for _, reply in rows]):
        which = torch.tensor([rows[place][0] for place in places], device=device)
        replies = [rows[place][1] for place in places]
        sums = decode_forced(
            model,
            model.reorder_encoder_states(encoded, which),
            padded(replies).to(device),
            lengths=torch.tensor([len(reply) for reply in replies], device=device),
            start=start,
        ).sum(1, dtype=torch.float64)
        for place, reply, total in zip(places, replies, sums.tolist(), strict=True):
            found[place] = Likelihood(total, len(reply))
    return found


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of all but empty replies, by length, in chunks of at most `PLACES` words."""
    chunk: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if not lengths[place]:
            continue
        if chunk and (len(chunk) + 1) * lengths[place] > PLACES:
            yield chunk
            chunk = []
        chunk.append(place)
    if chunk:
        yield chunk
