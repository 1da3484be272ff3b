"""A report as one page of HTML that stands alone: no network, no script, light and dark."""

from collections.abc import Iterator, Sequence

from harness.rendering import figures, plots
from harness.rendering.examples import hardest, words
from harness.rendering.findings import FEW, Findings, Turn, drawn_turns
from harness.rendering.frame import frame, row, section, table
from harness.rendering.markup import Content, Element, e, foreign, html, shown
from harness.rendering.sheet import Sheet
from harness.report import Measure

TURNS_DRAWN = 40


def page(sheet: Sheet) -> str:
    """The page's text."""
    return html(frame(shown(sheet.name, at_most=100), "Report of one run", *_main(sheet)))


def _main(sheet: Sheet) -> Iterator[Content]:
    yield e("h1", foreign(sheet.name, at_most=100))
    about = figures.meaning(sheet.headline.name) or "how surprised the agent is by each word"
    yield e("p", f"{figures.title(sheet.report)}: {about}. {sheet.counted}.", class_="lead")
    yield _hero(sheet)
    if sheet.report.measures:
        yield section("Measures", *_measures(sheet.measures), anchor="measures")
    if isinstance(sheet.findings, str):
        yield e("p", shown(sheet.findings), class_="note", role="note")
    elif sheet.findings.turns:
        yield section("Turn by turn", *_turns(sheet, sheet.findings), anchor="turns")
    yield from _dialogues(sheet)
    if isinstance(sheet.findings, Findings):
        yield from hardest(sheet, sheet.findings)
        yield from words(sheet.findings)
    yield section("How it was made", *_signature(sheet), anchor="made")


def _hero(sheet: Sheet) -> Element:
    score = sheet.headline
    return e(
        "section",
        e(
            "div",
            e("h2", figures.title(sheet.report), class_="name", id="score"),
            e("span", figures.text(score.value, score.unit), class_="value"),
            e("span", f"95 % interval {figures.interval(score)}", class_="figure"),
            class_="line",
        ),
        *_scaled(score),
        e("ul", *_facts(sheet), class_="facts"),
        class_="hero",
        aria_labelledby="score",
    )


def _scaled(score: Measure) -> Iterator[Element]:
    """The score on its whole scale, where it has one."""
    if score.unit != "fraction":
        return
    drawn = plots.whisker(score, plots.Scale(0.0, 1.0), what=_in_words(score))
    if drawn is not None:
        yield drawn
        yield e("div", e("span", "0 %"), e("span", "100 %"), class_="ends", aria_hidden="true")


def _facts(sheet: Sheet) -> Iterator[Element]:
    yield e("li", e("b", sheet.counted))
    for label, text in sheet.facts:
        yield e("li", f"{shown(label, at_most=60)} ", e("b", foreign(text, at_most=200)))


def _measures(measures: Sequence[Measure]) -> Iterator[Content]:
    shares = figures.fractions(measures)
    most = figures.ceiling([measure.high for measure in shares], at_most=1)
    ends = (e("span", "0 %"), e("span", figures.end(most, "fraction")))
    scale = e("span", *ends, class_="ends") if shares else ""
    rows = [_measure(measure, plots.Scale(0.0, most)) for measure in measures]
    rows[0].set("class", "first")
    heads = ("Measure", "Value", "95 % interval", scale, "Better")
    yield table(heads, rows, caption="Measures of this run", class_="measures")
    yield e(
        "p",
        f"The first ranks; the others describe. n = {measures[0].n:,} examples"
        f"{figures.counted_apart(measures)}; intervals draw whole dialogues.",
        class_="quiet",
    )


def _measure(measure: Measure, scale: plots.Scale) -> Element:
    drawn = None
    if measure.unit == "fraction":
        drawn = plots.whisker(measure, scale, what=_in_words(measure))
    name = e("span", shown(figures.label(measure.name), at_most=60))
    about = e("small", figures.meaning(measure.name))
    return row(
        e("span", name, about),
        ("value", figures.text(measure.value, measure.unit)),
        figures.interval(measure),
        drawn if drawn is not None else "",
        ("soft", figures.direction(measure)),
    )


def _in_words(measure: Measure) -> str:
    value = figures.text(measure.value, measure.unit)
    name = shown(figures.label(measure.name), at_most=60)
    return f"{name} {value}, 95 % interval {figures.interval(measure)}"


def _turns(sheet: Sheet, found: Findings) -> Iterator[Content]:
    turns, title = drawn_turns(found.turns, at_most=TURNS_DRAWN), figures.title(sheet.report)
    yield e(
        "p",
        f"{title} of the replies at each place in the dialogues, with its 95 % interval. Fewer "
        "dialogues reach the later turns.",
        class_="quiet",
    )
    yield plots.curve(turns, title=f"{title} turn by turn", unit=sheet.headline.unit)
    if len(turns) < len(found.turns):
        said = f"Turns that fewer than {FEW} dialogues reach are left to the table."
        yield e("p", said, class_="quiet")
    yield e("details", e("summary", "The figures"), _turn_table(found.turns))


def _turn_table(turns: Sequence[Turn]) -> Element:
    rows = [
        row(
            str(turn.number),
            ("value", figures.text(turn.measure.value, turn.measure.unit)),
            figures.interval(turn.measure),
            f"{turn.measure.n:,}",
        )
        for turn in turns
    ]
    heads = ("Turn", "Value", "95 % interval", "Dialogues")
    made = table(heads, rows, caption="The score turn by turn", class_="turns")
    made.set("class", "turns")  # four short columns fit a telephone
    return made


def _dialogues(sheet: Sheet) -> Iterator[Content]:
    report = sheet.report
    title = f"{figures.title(report)} of each dialogue"
    drawn = plots.histogram(
        report.totals, title=title, score=report.score.value, unit=sheet.headline.unit
    )
    if drawn is None:
        return
    apart = "; the scale is one of logarithms" if sheet.headline.unit == "per word" else ""
    infinite = sum(total.value == float("inf") for total in report.totals)
    left = figures.plural(infinite, "dialogue")
    kept = f" {left} of infinite score cannot be drawn." if infinite else ""
    key = (e("span", class_="key"), " the score of the run. ")
    said = f"How many dialogues scored how much{apart}.{kept}"
    about = e("p", *key, said, class_="quiet")
    yield section("Dialogue by dialogue", about, drawn, anchor="dialogues")


def _signature(sheet: Sheet) -> Iterator[Content]:
    rows = [
        row(
            shown(field.key, at_most=60),
            e("code", shown(field.value, at_most=100)),
            field.meaning,
        )
        for field in sheet.signature
    ]
    yield e("p", "Scores with equal signatures can be compared.", class_="quiet")
    yield table(("Field", "Value", "Meaning"), rows, caption="The signature", class_="explained")
    yield e("p", shown(sheet.report.signature, at_most=1000), class_="text")
