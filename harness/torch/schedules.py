"""How the learning rate goes: a function of the update's number, or of validation's loss."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import UsageError
from harness.torch.options import TrainingOptions


def share_at(update: int, *, options: TrainingOptions, spent: float | None = None) -> float:
    """The share of the full rate at an update (from 0), the plateau's part left out.

    Warm-up first: update 0 has 1 / warmup_updates, update warmup_updates - 1 the full rate. What
    falls to zero reaches it at `total_updates`; without that when all of the training's budget is
    `spent` (0 to 1). `UsageError` where neither is known.
    """
    warm = options.warmup_updates
    if update < warm:
        return (update + 1) / warm
    if options.schedule == "invsqrt":
        return math.sqrt(max(1, warm) / (max(1, warm) + update - warm))
    fall = _FALLS.get(options.schedule)  # constant and plateau do not fall by themselves
    if fall is None:
        return 1.0
    if options.total_updates is not None:
        spent = (update - warm) / max(1, options.total_updates - warm)
    if spent is None:
        raise UsageError(
            f"the schedule {options.schedule} ends with training; set training.total_updates"
        )
    return fall(min(1.0, spent))


def _linear(spent: float) -> float:
    return 1 - spent


def _cosine(spent: float) -> float:
    return (1 + math.cos(math.pi * spent)) / 2


_FALLS: Mapping[str, Callable[[float], float]] = {"linear": _linear, "cosine": _cosine}


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
