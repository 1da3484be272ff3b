"""Wrong replies drawn from labels of late, as the margin loss of 2018 has them.

Shapes: B rows, R words of a reply, S labels that are remembered, N wrong replies of a row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.torch.options import at_least


@dataclass(frozen=True, kw_only=True)
class MarginOptions:
    """The loss of 2018: `negatives` wrong replies a row, drawn from the last `labels`."""

    margin: float = 0.1
    negatives: int = 10
    labels: int = 1000

    def __post_init__(self) -> None:
        at_least("margin.negatives", self.negatives, 1)
        at_least("margin.labels", self.labels, 1)


@dataclass(frozen=True)
class Drawn:
    """Replies and which of them each row takes: the right one first, then wrong ones.

    `counts` is false where a place had to be filled with a right reply.
    """

    vectors: Tensor  # [texts, R]
    places: Tensor  # [B, 1 + N]
    counts: Tensor  # bool [B, 1 + N]


class Labels(nn.Module):
    """The labels of late: the first `size`, later ones in the place of any.

    They are buffers, so a training that was interrupted goes on with them.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("ids", torch.zeros(size, width, dtype=torch.long))
        self.register_buffer("held", torch.zeros((), dtype=torch.long))
        self.ids: Tensor
        self.held: Tensor

    def put(self, labels: Tensor) -> None:
        """Remember labels `[B, R]`."""
        held, size = int(self.held), len(self.ids)
        places = [
            held + row if held + row < size else int(torch.randint(size, ()))
            for row in range(len(labels))
        ]
        for place, label in zip(places, labels, strict=True):
            self.ids[place] = 0
            self.ids[place, : len(label)] = label
        self.held.fill_(min(held + len(labels), size))

    def draw(self, labels: Tensor, count: int) -> Drawn:
        """For each of the labels `[B, R]` `count` others; equal ones are drawn anew, twice."""
        width = self.ids.shape[1]
        own = nn.functional.pad(labels, (0, width - labels.shape[1]))
        drawn = torch.randint(int(self.held), (len(labels), 3 * count)).to(self.ids.device)
        same = (self.ids[drawn] == own[:, None]).all(-1)
        others = same.int().argsort(dim=1, stable=True)[:, :count]  # the first that are others
        used, places = torch.unique(drawn.gather(1, others), return_inverse=True)
        first = torch.arange(len(labels), device=places.device)[:, None]
        return Drawn(
            vectors=torch.cat([own, self.ids[used]]),
            places=torch.cat([first, places + len(labels)], 1),
            counts=torch.cat(
                [torch.ones_like(first, dtype=torch.bool), ~same.gather(1, others)], 1
            ),
        )


def margin_loss(scores: Tensor, counts: Tensor, *, margin: float) -> Tensor:
    """The cosine embedding loss, summed: the right cosines up to 1, wrong ones down to `margin`.

    `scores` `[B, 1 + N]` hold the right reply first; where `counts` is false nothing counts.
    """
    wrong = (scores[:, 1:] - margin).clamp(min=0.0).masked_fill(~counts[:, 1:], 0.0)
    return (1.0 - scores[:, 0]).sum() + wrong.sum()
