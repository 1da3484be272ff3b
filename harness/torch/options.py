"""The options of a torch agent: frozen groups of typed values that go to and from JSON.

A group is a dataclass; its fields, with their types and defaults, are the whole list of what may
be said. An own agent adds its own by inheriting from `TorchOptions` (or the ranker's, or the
generator's) with a field `model` of its own type.
"""

from dataclasses import dataclass, field
from typing import Literal

from harness.errors import UsageError
from harness.text import OWN_PERSONA, PARTNER_PERSONA

Precision = Literal["auto", "fp32", "bf16", "fp16"]
OptimizerName = Literal[
    "sgd", "adam", "adamw", "adamax", "adagrad", "adadelta", "rmsprop", "nadam", "radam"
]
ScheduleName = Literal["constant", "linear", "cosine", "invsqrt", "plateau"]


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How a context becomes ids.

    `text_truncate`, `label_truncate`: ids kept, of a text the last ones, of a reply the first;
    None keeps all. `history_size`: turns kept, None for all. `person_tokens`: each turn is headed
    by `__p1__` (partner) or `__p2__` (self). `delimiter` stands between the lines of a text; one
    without words, as the default, stands for nothing. `persona`: its sentences head the text,
    each after its prefix, or are memories without it, or are not read. `history`: earlier turns
    are part of the text, or memories; then the last `query_turns` turns are the text. `memories`:
    memories kept, the persona before turns, late turns before early ones.
    """

    text_truncate: int | None = 256
    label_truncate: int | None = 64
    history_size: int | None = None
    person_tokens: bool = False
    delimiter: str = "\n"
    persona: Literal["lines", "memories", "none"] = "lines"
    persona_prefix: str = OWN_PERSONA
    partner_prefix: str = PARTNER_PERSONA
    history: Literal["text", "memories"] = "text"
    query_turns: int = 1
    memories: int = 32

    def __post_init__(self) -> None:
        for name in ("text_truncate", "label_truncate", "history_size"):
            value = getattr(self, name)
            at_least(f"text.{name}", 1 if value is None else value, 1)
        at_least("text.query_turns", self.query_turns, 1)
        at_least("text.memories", self.memories, 0)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How weights move.

    `warmup_updates`: the rate rises linearly over so many updates. `schedule` then keeps it, or
    lets it fall to 0 at `total_updates` (linear, cosine; None: where the training's plan ends), or
    as 1 / sqrt(update) (invsqrt), or multiplies it by `plateau_decay` once the validation's loss
    has not fallen for more than `plateau_patience` validations (plateau). `gradient_clip`: the
    largest norm, 0 for none. `accumulate`: batches whose gradients make one update. `precision`:
    what the forward pass is computed in; `auto` is bf16 where the processor computes it, else fp32.
    """

    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    gradient_clip: float = 1.0
    schedule: ScheduleName = "constant"
    warmup_updates: int = 0
    total_updates: int | None = None
    plateau_patience: int = 3
    plateau_decay: float = 0.5
    accumulate: int = 1
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay", "momentum", "gradient_clip"):
            at_least(f"training.{name}", getattr(self, name), 0)
        for name in ("warmup_updates", "plateau_patience"):
            at_least(f"training.{name}", getattr(self, name), 0)
        at_least("training.accumulate", self.accumulate, 1)


@dataclass(frozen=True, kw_only=True)
class TorchOptions:
    """All options of an agent: groups, and what belongs to none.

    `seed` draws the first weights and all chance of training. `batch_size` bounds the rows of a
    batch in training and when verbs are answered. `cache` bounds what is kept between calls, in
    contexts.
    """

    text: TextOptions = field(default_factory=TextOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int = 0
    batch_size: int = 64
    cache: int = 2048

    def __post_init__(self) -> None:
        at_least("batch_size", self.batch_size, 1)
        at_least("cache", self.cache, 1)


def at_least(name: str, value: float, least: float) -> None:
    """`UsageError` where an option's value is smaller than it may be (or not a number)."""
    if not value >= least:
        raise UsageError(f"the option {name} is {value}; it must be at least {least}")
