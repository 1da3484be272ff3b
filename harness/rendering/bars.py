"""An interval drawn in characters, on a scale that its neighbours share."""

import math
from collections.abc import Sequence

from rich.text import Text

from harness.comparison import Difference
from harness.report import Measure

WIDTH = 20

_AXIS, _SPAN, _DOT, _ZERO, _CROSSED = "·", "━", "●", "│", "┿"


def bar(measure: Measure, *, most: float, width: int = WIDTH) -> Text:
    """The interval and the value of a measure on a scale from 0 to `most`; empty where infinite."""
    if not math.isfinite(measure.value) or most <= 0:
        return Text(" " * width)
    low = measure.value if measure.low is None else measure.low
    high = measure.value if measure.high is None else measure.high
    first, dot, last = (_cell(x, most=most, width=width) for x in (low, measure.value, high))
    drawn = Text(_AXIS * width, style="dim")
    drawn.stylize("not dim", first, last + 1)
    cells = [_SPAN if first <= place <= last else _AXIS for place in range(width)]
    cells[dot] = _DOT
    drawn.plain = "".join(cells)
    drawn.stylize("bold magenta", dot, dot + 1)
    return drawn


def _cell(value: float, *, most: float, width: int) -> int:
    if math.isinf(value):
        return width - 1
    return min(max(int(value / most * width), 0), width - 1)


def across(difference: Difference, *, most: float, width: int) -> Text:
    """A difference and its interval on a scale from -`most` to `most`, zero marked."""
    if not all(map(math.isfinite, (difference.low, difference.value, difference.high))):
        return Text(" " * width)
    places = [
        _cell(x + most, most=2 * most, width=width)
        for x in (difference.low, difference.value, difference.high)
    ]
    cells = [_SPAN if places[0] <= at <= places[2] else _AXIS for at in range(width)]
    cells[width // 2] = _ZERO if cells[width // 2] == _AXIS else _CROSSED
    cells[places[1]] = _DOT
    drawn = Text("".join(cells), style="dim")
    drawn.stylize("not dim", places[0], places[2] + 1)
    drawn.stylize("bold magenta", places[1], places[1] + 1)
    return drawn


def reach(differences: Sequence[Difference]) -> float:
    """The end of a scale that holds these differences and their intervals."""
    ends = [abs(end) for found in differences for end in (found.low, found.value, found.high)]
    return max((end for end in ends if math.isfinite(end)), default=1.0) or 1.0
