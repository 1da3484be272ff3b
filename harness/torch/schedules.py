"""How the learning rate goes: a function of the update's number, or of validation's loss."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.torch.options import TrainingOptions


def share_at(update: int, *, options: TrainingOptions) -> float:
    """The share of the full rate at an update (from 0), the plateau's part left out.

    Warm-up first: update 0 has 1 / warmup_updates, update warmup_updates - 1 the full rate. What
    falls to zero reaches it at `total_updates`.
    """
    warm = options.warmup_updates
    if update < warm:
        return (update + 1) / warm
    fall = _FALLS.get(options.schedule)  # constant and plateau do not fall by themselves
    return fall(update - warm, options) if fall is not None else 1.0


def _linear(since: int, options: TrainingOptions) -> float:
    return max(0.0, 1 - since / _length(options))


def _cosine(since: int, options: TrainingOptions) -> float:
    return (1 + math.cos(math.pi * min(1.0, since / _length(options)))) / 2


def _invsqrt(since: int, options: TrainingOptions) -> float:
    start = max(1, options.warmup_updates)
    return math.sqrt(start / (start + since))


def _length(options: TrainingOptions) -> int:
    assert options.total_updates is not None
    return max(1, options.total_updates - options.warmup_updates)


_FALLS: Mapping[str, Callable[[int, TrainingOptions], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "invsqrt": _invsqrt,
}


@dataclass(frozen=True)
class Plateau:
    """The share of the rate that stagnation has left, and what it has seen of validation's loss.

    After ReduceLROnPlateau: more than `plateau_patience` validations in a row without a new
    best loss multiply the share by `plateau_decay`.
    """

    share: float = 1.0
    best: float | None = None
    waited: int = 0

    def after(self, loss: float, *, options: TrainingOptions) -> "Plateau":
        """The plateau once a validation's loss is known."""
        if self.best is None or loss < self.best:
            return Plateau(self.share, loss, 0)
        if self.waited + 1 <= options.plateau_patience:
            return Plateau(self.share, self.best, self.waited + 1)
        return Plateau(self.share * options.plateau_decay, self.best, 0)
