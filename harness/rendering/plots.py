"""Plots as SVG that stretch to any width while their letters keep their size.

Places along the width are percentages of the drawing; what must be a path is drawn in an inner
view box of 100 units that is stretched without its strokes. The page's sheet has the colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.comparison import Difference
from harness.rendering import figures
from harness.rendering.findings import Turn
from harness.rendering.markup import Element, e
from harness.report import Measure, Total

_TOP, _PLOT, _FOOT = 22, 190, 40
_LEFT, _RIGHT = 4.0, 96.0
"""Where the first and the last point stand, in percent."""

_LABELS = 9
"""So many labels find room under a plot on a telephone."""

_STEPS = (1, 2, 5, 10, 20, 50, 100)

_BINS = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """From `least` to `most` onto percent of the width."""

    least: float
    most: float

    def place(self, value: float) -> float:
        """The place of a value, kept inside the drawing."""
        share = (value - self.least) / (self.most - self.least)
        return round(_LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT), 2)


def whisker(measure: Measure, scale: Scale, *, what: str) -> Element | None:
    """A value and its interval as a small drawing; None where a part is infinite or missing."""
    if measure.low is None or measure.high is None:
        return None
    if not all(map(math.isfinite, (measure.low, measure.value, measure.high))):
        return None
    low, dot, high = (scale.place(x) for x in (measure.low, measure.value, measure.high))
    return e(
        "svg",
        e("title", what),
        e("line", class_="axis", x1="0", x2="100%", y1=8, y2=8),
        *_span(low, high),
        e("circle", class_="dot", cx=f"{dot}%", cy=8, r=4),
        class_="whisker",
        role="img",
        width="100%",
        height=16,
    )


def curve(turns: Sequence[Turn], *, title: str, unit: str) -> Element:
    """The score turn by turn with the band of its interval, the number of dialogues below."""
    drawn = [turn for turn in turns if math.isfinite(turn.measure.value)]
    bounds = [bound for turn in drawn for bound in (turn.measure.high, turn.measure.value)]
    most = figures.ceiling(bounds, at_most=1 if unit == "fraction" else math.inf)
    across = Scale(turns[0].number, max(turns[-1].number, turns[0].number + 1))
    children = [*_grid(most), _band(drawn, across, most)]
    children += [
        e(
            "circle",
            class_="dot",
            cx=f"{across.place(turn.number)}%",
            cy=_height(turn.measure.value, most),
            r=3.5,
        )
        for turn in drawn
    ]
    return _plot(title, _said(turns), *children, *_ticks(most, unit), *_turn_labels(turns, across))


def histogram(totals: Sequence[Total], *, title: str, score: float, unit: str) -> Element | None:
    """How the dialogues' own scores lie; ppl on a scale of logarithms. None for fewer than two."""
    logarithmic = unit == "per word"
    worths = [total.value / total.weight for total in totals if total.weight > 0]
    finite = sorted(worth for worth in worths if math.isfinite(worth))
    if len(finite) < 2:
        return None
    scale = _spread(finite, logarithmic=logarithmic)
    counts = _counts(finite, scale)
    most = _even(max(counts))
    bars = [_column(place, count, most) for place, count in enumerate(counts) if count]
    mean = scale.place(math.log(score) if logarithmic and score > 0 else score)
    said = (
        f"{figures.plural(len(finite), 'dialogue')}; the middle one scores "
        f"{_own(finite[len(finite) // 2], logarithmic=logarithmic, unit=unit)}"
    )
    marks = _value_labels(scale, logarithmic=logarithmic, unit=unit)
    line = e("line", class_="mean", x1=f"{mean}%", x2=f"{mean}%", y1=_TOP - 8, y2=_TOP + _PLOT)
    shown = [line] if math.isfinite(score) else []
    return _plot(title, said, *_grid(most), *bars, *shown, *_ticks(most, "dialogues"), *marks)


def _plot(title: str, description: str, *children: Element) -> Element:
    return e(
        "svg",
        e("title", title),
        e("desc", description),
        *children,
        class_="plot",
        role="img",
        width="100%",
        height=_TOP + _PLOT + _FOOT,
    )


def _height(value: float, most: float) -> float:
    return round(_TOP + _PLOT * (1 - min(max(value / most, 0.0), 1.0)), 1)


def _grid(most: float) -> list[Element]:
    """Lines across at quarters."""
    heights = [_height(most * quarter / 4, most) for quarter in (0, 1, 2, 3, 4)]
    return [e("line", class_="axis", x1="0", x2="100%", y1=y, y2=y) for y in heights]


def _ticks(most: float, unit: str) -> list[Element]:
    """The values of the middle and the upper line, above their left ends."""
    return [
        e("text", _end(value, unit), class_="tick over", x=0, y=_height(value, most) - 5)
        for value in (most / 2, most)
    ]


def _end(value: float, unit: str) -> str:
    if unit == "dialogues":
        return f"{value:g} dialogues"
    return figures.end(round(value, 6), unit)


def _band(turns: Sequence[Turn], across: Scale, most: float) -> Element:
    """The interval as a surface and the values as a line, in a view box that is stretched."""
    upper = [(turn, turn.measure.high) for turn in turns if turn.measure.high is not None]
    lower = [(turn, turn.measure.low) for turn in turns if turn.measure.low is not None]
    around = [_point(turn, bound, across, most) for turn, bound in [*upper, *reversed(lower)]]
    middle = [_point(turn, turn.measure.value, across, most) for turn in turns]
    return e(
        "svg",
        e("polygon", class_="band", points=" ".join(around)),
        e("polyline", class_="middle", points=" ".join(middle)),
        viewBox=f"0 0 100 {_TOP + _PLOT + _FOOT}",
        preserveAspectRatio="none",
        width="100%",
        height=_TOP + _PLOT + _FOOT,
        aria_hidden="true",
    )


def _point(turn: Turn, value: float, across: Scale, most: float) -> str:
    return f"{across.place(turn.number)},{_height(value, most)}"


def _turn_labels(turns: Sequence[Turn], across: Scale) -> list[Element]:
    step = next(step for step in _STEPS if len(turns) <= step * _LABELS)
    labels = []
    for turn in turns:
        if turn.number % step and turn.number > 1:
            continue
        x = f"{across.place(turn.number)}%"
        y = _TOP + _PLOT
        labels.append(e("text", str(turn.number), class_="label", x=x, y=y + 17))
        labels.append(e("text", f"n {turn.measure.n:,}", class_="tick middle", x=x, y=y + 33))
    return labels


def _said(turns: Sequence[Turn]) -> str:
    first, last = turns[0].measure, turns[-1].measure
    return (
        f"From {figures.text(first.value, first.unit)} at turn {turns[0].number} to "
        f"{figures.text(last.value, last.unit)} at turn {turns[-1].number}."
    )


def _spread(worths: Sequence[float], *, logarithmic: bool) -> Scale:
    if not logarithmic:
        return Scale(0.0, figures.ceiling([worths[-1]], at_most=1))
    return Scale(worths[0], worths[-1] if worths[-1] > worths[0] else worths[0] + 1)


def _counts(worths: Sequence[float], scale: Scale) -> list[int]:
    counts = [0] * _BINS
    for worth in worths:
        share = (worth - scale.least) / (scale.most - scale.least)
        counts[min(max(int(share * _BINS), 0), _BINS - 1)] += 1
    return counts


def _even(count: int) -> float:
    """A round even number that is not below the count, so that its half is whole too."""
    if count <= 10:
        return max(2.0, 2.0 * math.ceil(count / 2))
    return 2 * figures.ceiling([count / 2])


def _column(place: int, count: int, most: float) -> Element:
    width = (_RIGHT - _LEFT) / _BINS
    top = _height(count, most)
    return e(
        "rect",
        class_="bar",
        x=f"{_LEFT + place * width + width * 0.06:.2f}%",
        width=f"{width * 0.88:.2f}%",
        y=top,
        height=round(_TOP + _PLOT - top, 1),
    )


def _value_labels(scale: Scale, *, logarithmic: bool, unit: str) -> list[Element]:
    labels = []
    for quarter in (0, 1, 2, 3, 4):
        value = scale.least + (scale.most - scale.least) * quarter / 4
        said = _own(value, logarithmic=logarithmic, unit=unit)
        anchor = {0: "tick", 4: "tick last"}.get(quarter, "tick middle")
        x = {0: "0", 4: "100%"}.get(quarter, f"{scale.place(value)}%")
        labels.append(e("text", said, class_=anchor, x=x, y=_TOP + _PLOT + 17))
    return labels


def _own(worth: float, *, logarithmic: bool, unit: str) -> str:
    """What a dialogue scored, from its mean worth."""
    if not logarithmic:
        return figures.end(round(worth, 4), unit)
    return f"{math.exp(worth):,.0f}" if worth < 700 else figures.INFINITE


def away(difference: Difference, *, most: float, what: str) -> Element | None:
    """A difference and its interval on both sides of zero; None where a part is infinite."""
    parts = (difference.low, difference.value, difference.high)
    if not all(map(math.isfinite, parts)):
        return None
    scale = Scale(-most, most)
    low, dot, high = (scale.place(part) for part in parts)
    zero = scale.place(0.0)
    return e(
        "svg",
        e("title", what),
        e("line", class_="axis", x1="0", x2="100%", y1=8, y2=8),
        e("line", class_="zero", x1=f"{zero}%", x2=f"{zero}%", y1=0, y2=16),
        *_span(low, high),
        e("circle", class_="dot", cx=f"{dot}%", cy=8, r=4),
        class_="whisker",
        role="img",
        width="100%",
        height=16,
    )


def _span(low: float, high: float) -> list[Element]:
    """An interval with its two ends."""
    return [
        e("line", class_="span", x1=f"{low}%", x2=f"{high}%", y1=8, y2=8),
        e("line", class_="span", x1=f"{low}%", x2=f"{low}%", y1=4, y2=12),
        e("line", class_="span", x1=f"{high}%", x2=f"{high}%", y1=4, y2=12),
    ]
