"""A comparison as one page of HTML that stands alone."""

import math
from collections.abc import Iterator, Sequence

from harness.comparison import ALPHA, Difference
from harness.rendering import figures, plots
from harness.rendering.bars import reach
from harness.rendering.contrast import Many, Two, bare_p, bounds, change, p_value
from harness.rendering.contrast_terminal import note
from harness.rendering.frame import frame, row, section, table
from harness.rendering.markup import Content, Element, e, foreign, html, shown

_HEADS = ("Difference", "95 % interval", "", "p")


def page(contrast: Two | Many) -> str:
    """The page's text."""
    main = _two(contrast) if isinstance(contrast, Two) else _many(contrast)
    names = ", ".join(shown(name, at_most=60) for name in contrast.names)
    return html(frame(f"{names} compared", "Comparison of runs", *main))


def _two(contrast: Two) -> Iterator[Content]:
    before, after = (foreign(name, at_most=60) for name in contrast.names)
    yield e("h1", before, " and ", after)
    yield e("p", shown(contrast.sentence), class_="said")
    named = [foreign(name, at_most=30) for name in contrast.names]
    heads: list[Content] = ["Measure", *named, *_HEADS]
    rows = [_measure(found) for found in contrast.differences]
    made = table(heads, rows, caption="Differences", class_="contrast")
    yield section("Differences", made, e("p", note(contrast), class_="quiet"), anchor="differences")
    yield _made(contrast.reports[0].signature)


def _measure(found: Difference) -> Element:
    unit = "per word" if found.scale == "log" else found.unit
    scores = [("number", figures.text(score, unit)) for score in (found.second, found.first)]
    return row(
        figures.label(found.metric),
        *scores,
        *_cells(found, p=found.p, most=reach([found])),
    )


def _many(contrast: Many) -> Iterator[Content]:
    comparison = contrast.comparison
    label = figures.label(comparison.metric)
    yield e("h1", f"{len(contrast.names)} runs, {label}")
    dialogues = figures.plural(comparison.dialogues, "dialogue")
    said = f"Over {dialogues} that all answered; a rank range is what the tests leave open."
    yield e("p", said, class_="lead")
    yield section("Ranks", _ranks(contrast), anchor="ranks")
    yield section(
        "Pairs",
        _pairs(contrast),
        e("p", "p is adjusted for the number of pairs (Holm).", class_="quiet"),
        anchor="pairs",
    )
    yield _made(contrast.reports[0].signature)


def _ranks(contrast: Many) -> Element:
    measures = [contrast.measure(place) for place in contrast.order]
    ends = [measure.high for measure in measures]
    fraction = contrast.comparison.unit == "fraction"
    scale = plots.Scale(0.0, figures.ceiling(ends, at_most=1 if fraction else math.inf))
    rows = []
    for place, measure in zip(contrast.order, measures, strict=True):
        name = shown(contrast.names[place], at_most=60)
        value = figures.text(measure.value, measure.unit)
        said = f"{name} {value}, 95 % interval {figures.interval(measure)}"
        drawn = plots.whisker(measure, scale, what=said)
        rows.append(
            row(
                foreign(contrast.names[place], at_most=60),
                contrast.ranks(place),
                ("number value", value),
                figures.interval(measure),
                drawn if drawn is not None else "",
            )
        )
    bounds_of = (e("span", "0"), e("span", figures.end(scale.most, contrast.comparison.unit)))
    heads = ("Run", "Rank", "Score", "95 % interval", e("span", *bounds_of, class_="ends"))
    return table(heads, rows, caption="Runs by rank", class_="contrast")


def _pairs(contrast: Many) -> Element:
    pairs = contrast.comparison.pairs
    most = reach([pair.difference for pair in pairs])
    rows = []
    for pair in pairs:
        one, other = (foreign(contrast.names[at], at_most=60) for at in (pair.first, pair.second))
        cells = _cells(pair.difference, p=pair.adjusted, most=most)
        rows.append(row(e("span", one, " less ", other), *cells))
    return table(("Pair", *_HEADS), rows, caption="Pairs of runs", class_="contrast")


def _cells(found: Difference, *, p: float, most: float) -> Sequence[Content | tuple[str, Content]]:
    sure = "number value" if p < ALPHA else "number"
    drawn = plots.away(found, most=most, what=f"{change(found)}, {p_value(p)}")
    return (
        (sure, change(found)),
        bounds(found),
        drawn if drawn is not None else "",
        ("number", bare_p(p)),
    )


def _made(signature: str) -> Element:
    text = e("p", shown(signature, at_most=1000), class_="text")
    return section("How the scores were made", text, anchor="made")
