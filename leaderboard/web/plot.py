"""Whiskers: a score and its interval as a small drawing, on one scale per column.

Geometry only, in the units of the drawing's view box; the template writes the SVG.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 160.0
"""Width of the view box; the page stretches it to the column."""

PAD = 5.0
"""Room at both ends, so that a dot at the edge is whole."""


@dataclass(frozen=True, slots=True)
class Whisker:
    """Where the parts of one drawing stand: the interval's ends and the dot."""

    low: float
    high: float
    value: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from `least` to `most` in the metric's own unit."""

    least: float
    most: float

    def place(self, value: float) -> float:
        """The horizontal place of `value` in the view box, kept inside it."""
        share = (value - self.least) / (self.most - self.least)
        return round(PAD + min(max(share, 0.0), 1.0) * (WIDTH - 2 * PAD), 1)

    def whisker(self, *, low: float, value: float, high: float) -> Whisker | None:
        """The drawing of one score; None where a part is infinite."""
        if not all(map(math.isfinite, (low, value, high))):
            return None
        return Whisker(self.place(low), self.place(high), self.place(value))


def scale(values: Iterable[float | None]) -> Scale:
    """A scale that holds every finite value with a little air at both ends."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return Scale(0.0, 1.0)
    least, most = min(finite), max(finite)
    air = (most - least) * 0.05 or abs(most) * 0.1 or 1.0
    return Scale(least - air, most + air)
