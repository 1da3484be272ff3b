"""How scores are published: hits and F1 to 0.1 point, perplexity to 4 significant digits.

Ranks and ties come from these values, so a page never shows two equal numbers in different
places.
"""

import math
from dataclasses import dataclass
from typing import cast

from harness.agent import Track
from leaderboard.db.models import TrackReport

INFINITE = "∞"
DIGITS = 4
"""Significant digits of a published perplexity."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One published score: `value`, `low`, `high` rounded, `text` and `interval` for people.

    hits and F1 are fractions whose texts are in percent (`80.7`); ppl is per word and may be
    infinite. `n` counts examples; `tokens` (scored words) and `vocabulary` belong to ppl.
    """

    track: Track
    value: float
    low: float
    high: float
    text: str
    interval: str
    n: int
    signature: str
    sandbox: str
    tokens: int | None = None
    vocabulary: int | None = None


def published(track: Track, value: float) -> float:
    """The value as everybody may see it."""
    if not math.isfinite(value):
        return value
    return float(f"{value:.{DIGITS}g}") if track == "ppl" else round(value, 3)


def text(track: Track, value: float) -> str:
    """A value for people: percent with one digit, or 4 significant digits."""
    if not math.isfinite(value):
        return INFINITE
    shown = published(track, value)
    if track != "ppl":
        return f"{100 * shown:.1f}"
    decimals = 0 if shown == 0 else max(0, DIGITS - 1 - math.floor(math.log10(abs(shown))))
    return f"{shown:.{decimals}f}"


def interval(track: Track, low: float, high: float) -> str:
    """A 95 % interval for people: `78.1 to 83.2`."""
    return f"{text(track, low)} to {text(track, high)}"


def cell(row: TrackReport) -> Cell:
    """The published form of one stored report."""
    track = cast("Track", row.track)
    return Cell(
        track=track,
        value=published(track, row.value),
        low=published(track, row.low),
        high=published(track, row.high),
        text=text(track, row.value),
        interval=interval(track, row.low, row.high),
        n=row.n,
        signature=row.signature,
        sandbox=row.sandbox,
        tokens=row.tokens,
        vocabulary=row.vocabulary,
    )
