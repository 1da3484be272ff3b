"""The hardest examples of a run on its page, and on ppl its words, shaded by their loss."""

import math
from collections.abc import Iterator, Sequence

from harness.records import Record
from harness.rendering import figures
from harness.rendering.findings import Findings, Word
from harness.rendering.frame import row, section, table
from harness.rendering.markup import Content, Element, e, foreign
from harness.rendering.sheet import Sheet
from harness.rendering.worth import SHADES, shade, worth

_WORDS_OF_ONE = 100


def hardest(sheet: Sheet, found: Findings) -> Iterator[Element]:
    """The section of the hardest examples, if there are any."""
    if not found.hardest:
        return
    rows = [_example(sheet, record, place) for place, record in enumerate(found.hardest, 1)]
    heads = ("No.", "Worth", "What was said")
    made = table(heads, rows, caption="The hardest examples", class_="examples")
    legend = [_legend()] if sheet.report.track == "ppl" else []
    yield section("Hardest examples", *legend, made, anchor="hardest")


def words(found: Findings) -> Iterator[Element]:
    """The section of words, on ppl."""
    if found.surprising:
        both = e(
            "div",
            e("div", e("h3", "Most surprising"), _words(found.surprising, "Most surprising")),
            e("div", e("h3", "Most costly in all"), _words(found.costly, "Most costly in all")),
            class_="columns",
        )
        yield section("Words", both, *_outside(found.outside), anchor="words")


def _example(sheet: Sheet, record: Record, place: int) -> Element:
    said = worth(record, sheet.report.track, candidates=sheet.candidates)
    where = e(
        "small",
        "dialogue ",
        foreign(record.dialogue, at_most=60),
        f", reply {record.example + 1}",
        class_="quiet",
    )
    talk: list[Content] = [
        *_line("partner", foreign(record.partner)),
        *_line("given", _given(record)),
    ]
    if record.answer is not None:
        talk += _line("answered", foreign(record.answer) if record.answer else "(nothing)")
    return e(
        "tr",
        e("td", str(place), class_="place", role="cell"),
        e("th", said, e("br"), where, scope="row", role="rowheader"),
        e("td", e("dl", *talk), role="cell"),
        role="row",
    )


def _line(label: str, content: Content) -> list[Element]:
    return [e("dt", label), e("dd", content)]


def _given(record: Record) -> Element:
    if record.words is None:
        return foreign(record.given)
    made = e("span", class_="words")
    for place, (word, loss) in enumerate(record.words[:_WORDS_OF_ONE]):
        if place:
            made[-1].tail = " "
        made.append(_word(word, loss))
    return made


def _word(word: str, loss: float | None) -> Element:
    if loss is None:
        return e("bdi", foreign(word, at_most=100), class_="out", title="outside the dictionary")
    said = "infinite loss" if loss == float("inf") else f"{loss:.2f} nats"
    return e("bdi", foreign(word, at_most=100), class_=f"w w{shade(loss)}", title=said)


def _legend() -> Element:
    steps = [
        e("li", e("span", f"{step:g} nats", class_=f"w w{place}"), " or more")
        for place, step in enumerate(SHADES, 1)
    ]
    out = e("li", e("span", "word", class_="out"), " outside the dictionary, not scored")
    return e("ul", *steps, out, class_="legend", aria_label="Shades of words by their loss")


def _words(found: Sequence[Word], caption: str) -> Element:
    rows = [
        row(
            foreign(word.word, at_most=60),
            ("number", _nats(word.mean)),
            ("number", f"{word.times:,}"),
            ("number", _nats(word.nats)),
        )
        for word in found
    ]
    made = table(("Word", "Nats each", "Times", "Nats in all"), rows, caption=caption, class_="")
    made.set("class", "counts")
    return made


def _nats(nats: float) -> str:
    return f"{nats:,.2f}" if math.isfinite(nats) else figures.INFINITE


def _outside(found: Sequence[Word]) -> Iterator[Element]:
    if not found:
        return
    said = e("p")
    for place, word in enumerate(found):
        if place:
            said[-1].tail = f" × {found[place - 1].times:,}, "
        said.append(foreign(word.word, at_most=60))
    said[-1].tail = f" × {found[-1].times:,}"
    yield e("h3", "Outside the dictionary")
    yield said
