"""The ablation as a drawing that stands alone: hits@1 with its interval, a panel a list length."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import tostring

from baselines.ablation.cells import AGAINST, Cell
from harness.rendering import figures
from harness.rendering.markup import Element, e
from harness.report import Measure

_LEFT, _PANEL, _GAP, _RIGHT = 210, 250, 64, 56
_TOP, _LINE, _HEAD, _FOOT = 56, 22, 30, 56
_QUARTERS = (0, 1, 2, 3, 4)

_LEGEND = "Percent with 95 % intervals. Dashed: the same model without persona. Dotted: chance."

_STYLE = """
text { font: 13px system-ui, "Segoe UI", sans-serif; fill: #1f1d2b }
.title { font-weight: 600 } .small { font-size: 11px; fill: #5d5a6b }
.middle { text-anchor: middle }
.ground { fill: #fff } .grid { stroke: #e4e2ea } .chance { stroke: #a9a5b8; stroke-dasharray: 2 3 }
.bare { stroke: #8a869b; stroke-dasharray: 4 3 } .span { stroke: #5b3fd1; stroke-width: 2 }
.dot { fill: #5b3fd1 } .none .span { stroke: #8a869b } .none .dot { fill: #8a869b }
"""


def plot(cells: Sequence[Cell], *, title: str) -> bytes:
    """An SVG document; `cells` as `cells.ordered` gives them."""
    counts = sorted({one.candidates for one in cells})
    lines = _places([(one.model, one.persona) for one in cells])
    height = max(lines.values()) + _LINE
    width = _LEFT + len(counts) * (_PANEL + _GAP) + _RIGHT - _GAP
    bounds = [figures.headline(one.report) for one in cells]
    most = figures.ceiling([it.high for it in bounds], at_most=1)
    panels = [
        part
        for number, count in enumerate(counts)
        for part in _panel(
            [one for one in cells if one.candidates == count],
            left=_LEFT + number * (_PANEL + _GAP),
            most=most,
            lines=lines,
            foot=height,
        )
    ]
    drawing = e(
        "svg",
        e("title", title),
        e("style", _STYLE),
        e("rect", class_="ground", width=width, height=height + _FOOT),
        e("text", title, class_="title", x=16, y=24),
        *_names(lines),
        *panels,
        e("text", _LEGEND, class_="small", x=16, y=height + 44),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height + _FOOT}",
        width=width,
        height=height + _FOOT,
        role="img",
    )
    return tostring(drawing, encoding="unicode").encode("utf-8") + b"\n"


Line = tuple[str, str]
"""A model and a condition."""


def _places(lines: Sequence[Line]) -> dict[Line, int]:
    """How far down each line stands; a model's lines are one block under its name."""
    places: dict[Line, int] = {}
    at = _TOP
    for model, block in groupby(dict.fromkeys(lines), key=lambda line: line[0]):
        at += _HEAD
        for _, persona in block:
            places[model, persona] = at
            at += _LINE
    return places


def _names(lines: dict[Line, int]) -> Iterator[Element]:
    known = ""
    for (model, persona), y in lines.items():
        if model != known:
            known = model
            yield e("text", model, class_="title", x=16, y=y - 18)
        yield e("text", persona, x=32, y=y + 4)


def _panel(
    cells: Sequence[Cell], *, left: int, most: float, lines: dict[Line, int], foot: int
) -> Iterator[Element]:
    """One length of lists: a scale, chance, and a whisker for every line that is there."""
    count = cells[0].candidates
    yield e("text", f"hits@1 among {count} candidates", class_="title", x=left, y=_TOP - 6)
    for quarter in _QUARTERS:
        x = left + _PANEL * quarter / 4
        end = figures.end(round(most * quarter / 4, 4), "fraction")
        yield e("line", class_="grid", x1=x, x2=x, y1=_TOP + 4, y2=foot)
        yield e("text", end, class_="small middle", x=x, y=foot + 18)
    chance = left + _PANEL * min(1 / count / most, 1)
    yield e("line", class_="chance", x1=chance, x2=chance, y1=_TOP + 4, y2=foot)
    for model, block in groupby(cells, key=lambda one: one.model):
        yield from _block(list(block), lines, model=model, left=left, scale=_PANEL / most)


def _block(
    cells: Sequence[Cell], lines: dict[Line, int], *, model: str, left: int, scale: float
) -> Iterator[Element]:
    """A model's whiskers, and a line down from where it stands without a persona."""
    bare = next((one for one in cells if one.persona == AGAINST), None)
    if bare is not None:
        x = left + bare.report.score.value * scale
        own = [y for (name, _), y in lines.items() if name == model]
        yield e("line", class_="bare", x1=x, x2=x, y1=min(own) - 8, y2=max(own) + 8)
    for one in cells:
        yield _whisker(one, lines[model, one.persona], left=left, scale=scale)


def _whisker(cell: Cell, y: int, *, left: int, scale: float) -> Element:
    measure = figures.headline(cell.report)
    low, high = measure.low or 0.0, measure.high or 0.0
    ends = (round(left + low * scale, 1), round(left + high * scale, 1))
    return e(
        "g",
        e("title", _said(cell, measure)),
        e("line", class_="span", x1=ends[0], x2=ends[1], y1=y, y2=y),
        e("circle", class_="dot", cx=round(left + measure.value * scale, 1), cy=y, r=4),
        e("text", f"{100 * measure.value:.1f}", class_="small", x=ends[1] + 6, y=y + 4),
        class_=cell.persona,
    )


def _said(cell: Cell, measure: Measure) -> str:
    return (
        f"{cell.model}, persona {cell.persona}, {cell.candidates} candidates: hits@1 "
        f"{figures.text(measure.value, measure.unit)} ({figures.interval(measure)})"
    )
