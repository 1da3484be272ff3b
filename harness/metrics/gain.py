"""What one example adds to its dialogue's totals."""

from typing import NamedTuple


class Gain(NamedTuple):
    """One example's worth, plain enough to be a row of JSON: `Gain.of(json)` reads it back.

    `value` is of the track's main score: hits@1 and F1 as fractions, ppl in nats over `weight`
    scored words (`skipped` more stand outside the dictionary). `more` holds the track's further
    measures, as the columns of `harness.metrics.tally.FURTHER` name them. `reply` is the cleaned
    text of an f1 answer, where a profile is wanted.
    """

    value: float
    weight: float = 1.0
    skipped: int = 0
    more: tuple[float, ...] = ()
    reply: str | None = None
