"""What moves the weights: optimiser, clipping, accumulation, precision, and the rate's schedule.

All of it can be stored and taken up again, so that training goes on as if it had not stopped.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from harness.errors import UsageError
from harness.torch import precision
from harness.torch.checkpoint import State, damaged
from harness.torch.options import OptimizerName, TrainingOptions
from harness.torch.schedules import Plateau, share_at
from harness.torch.typed import from_json

Groups = Iterable[dict[str, Any]]  # Any: torch's parameter groups mix tensors and numbers

OPTIMIZERS: Mapping[OptimizerName, tuple[type[optim.Optimizer], tuple[str, ...]]] = {
    "sgd": (optim.SGD, ("momentum", "nesterov")),
    "rmsprop": (optim.RMSprop, ("momentum",)),
    "adagrad": (optim.Adagrad, ()),
    "adadelta": (optim.Adadelta, ()),
    "adam": (optim.Adam, ("betas",)),
    "adamw": (optim.AdamW, ("betas",)),
    "adamax": (optim.Adamax, ("betas",)),
    "nadam": (optim.NAdam, ("betas",)),
    "radam": (optim.RAdam, ("betas",)),
}
"""Each optimiser with the options it takes beside the rate and the decay."""


def optimizer_of(model: nn.Module, options: TrainingOptions) -> optim.Optimizer:
    """The optimiser of the options for a model's weights; decay spares biases and scales."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups: Groups = [
        {"params": [w for w in weights if w.dim() > 1], "weight_decay": options.weight_decay},
        {"params": [w for w in weights if w.dim() <= 1], "weight_decay": 0.0},
    ]
    kind, names = OPTIMIZERS[options.optimizer]
    further = {name: getattr(options, name) for name in names}
    make: Callable[..., optim.Optimizer] = kind
    return make([g for g in groups if g["params"]], lr=options.learning_rate, **further)


class Updates:
    """One model's optimiser with all that belongs to it.

    `done` counts the updates of the weights, `rate` is the present learning rate. `spent` is the
    share of the budget that a training loop has used, as far as it has one. `remarks` are numbers
    that the loop wants to find again when it goes on.
    """

    def __init__(
        self, model: nn.Module, options: TrainingOptions, *, device: torch.device | None = None
    ) -> None:
        self.model, self.options = model, options
        self.device = device or torch.device("cpu")
        self.precision = precision.chosen(options.precision, device=self.device)
        self.optimizer = optimizer_of(model, options)
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.precision == "fp16")
        self.plateau = Plateau()
        self.remarks: dict[str, float] = {}
        self.done = 0
        self.spent: float | None = None
        self._waiting = 0  # batches whose gradients are in, but not yet their update

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        share = share_at(self.done, options=self.options, spent=self.spent) * self.plateau.share
        return self.options.learning_rate * share

    def autocast(self) -> AbstractContextManager[object]:
        """Where the forward pass and the loss are computed."""
        return precision.autocast(self.precision, device=self.device)

    def backward(self, loss: Tensor) -> None:
        """Add a batch's gradients; the last of `accumulate` batches moves the weights.

        `UsageError` where the loss is no number: training has diverged.
        """
        if self.precision != "fp16" and not torch.isfinite(loss):
            raise UsageError(
                f"the loss is {loss.item()} at update {self.done}: training has diverged; lower "
                "training.learning_rate or training.gradient_clip",
                code="diverged",
            )
        scaled = self.scaler.scale(loss / self.options.accumulate)
        scaled.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._waiting += 1
        if self._waiting == self.options.accumulate:
            self._update()

    def receive(self, loss: float) -> None:
        """Hear a validation's loss; only the plateau schedule minds."""
        if self.options.schedule == "plateau":
            self.plateau = self.plateau.after(loss, options=self.options)

    def _update(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        if self.options.gradient_clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.options.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self._waiting = 0
        self.done += 1

    def state(self) -> State:
        """All that training goes on from, the generators of chance included.

        `UsageError` between the batches of one update: half an update cannot be stored.
        """
        if self._waiting:
            raise UsageError(
                f"{self._waiting} of {self.options.accumulate} batches of an update are in; save "
                "when the update is done"
            )
        held: dict[str, dict[str, Any]] = {  # Any: tensors and numbers, by torch's names
            str(number): values for number, values in self.optimizer.state_dict()["state"].items()
        }
        tensors = {"chance/cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["chance/cuda"] = torch.cuda.get_rng_state(self.device)
        plain: dict[str, dict[str, Any]] = {number: {} for number in held}  # Any: JSON values
        for number, values in held.items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{number}/{name}"] = value
                else:
                    plain[number][name] = value
        return State(
            tensors,
            {
                "updates": self.done,
                "remarks": self.remarks,
                "optimizer": self.options.optimizer,
                "values": plain,
                "plateau": asdict(self.plateau),
                "scaler": self.scaler.state_dict(),
            },
        )

    def restore(self, state: State, *, place: Path) -> None:
        """Go on from `state`; `UsageError` with the place where it is of another training."""
        plain = state.plain
        if plain.get("optimizer") != self.options.optimizer:
            raise UsageError(
                f"{place} was trained by {plain.get('optimizer')}, not {self.options.optimizer}"
            )
        try:
            values = {int(number): dict(held) for number, held in plain["values"].items()}
            for key, tensor in state.tensors.items():
                kind, _, rest = key.partition("/")
                if kind == "optimizer":
                    number, _, name = rest.partition("/")
                    values[int(number)][name] = tensor
            groups = self.optimizer.state_dict()["param_groups"]
            self._check_shapes(values)
            self.optimizer.load_state_dict({"state": values, "param_groups": groups})
            self.scaler.load_state_dict(plain["scaler"])
            self.plateau = from_json(Plateau, plain["plateau"], place=f"{place}: plateau")
            self.done = int(plain["updates"])
            self.remarks = {name: float(value) for name, value in plain["remarks"].items()}
            self._set_chance(state.tensors)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise damaged(place, f"its training state does not fit ({error})") from error

    def _check_shapes(self, values: Mapping[int, Mapping[str, object]]) -> None:
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        for number, held in values.items():
            for name, value in held.items():
                if not isinstance(value, Tensor) or value.dim() == 0:
                    continue
                if value.shape != weights[number].shape:
                    raise ValueError(f"{name} of weight {number} has shape {tuple(value.shape)}")

    def _set_chance(self, tensors: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(tensors["chance/cpu"].cpu())
        if self.device.type == "cuda" and "chance/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["chance/cuda"].cpu(), self.device)
