"""What each example gave, one JSON line a record: the sidecar of a report on public data."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One example of a run: what was asked, what was answered, what it was worth.

    `example` counts from 0 within its dialogue. `partner` is the last utterance before the reply,
    `given` the reply that was given. `value` and `weight` are what it adds to the track's totals.
    hits: `answer` is the best-ranked candidate, `rank` the reply's place from 1 (None: not among
    them). f1: `answer` is the reply. ppl: `words` holds each official word of `given` with its
    loss in nats (infinite at a probability of zero), None where it is outside the dictionary.
    """

    dialogue: str
    example: int
    partner: str
    given: str
    value: float
    weight: float
    answer: str | None = None
    rank: int | None = None
    words: tuple[tuple[str, float | None], ...] | None = None


class Recorder(Protocol):
    """Told of every example, in the order of answering."""

    def __call__(self, record: Record, /) -> None: ...
