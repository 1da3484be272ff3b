"""The frame of a page that stands alone: its head with the sheet inside, title, foot, tables."""

from collections.abc import Sequence
from importlib.resources import files

from harness import __version__
from harness.rendering.markup import Content, Element, e

_MARK = "M7 3h18v12h-9l-5 5v-5H7zM5 22h22v3H5zM2 27h28v3H2z"

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page asks for nothing; the browser is told to hold it to that."""


def frame(title: str, kind: str, *main: Content) -> Element:
    """A whole document; `kind` says at the top what sort of page it is."""
    head = e(
        "head",
        e("meta", charset="utf-8"),
        Element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("meta", name="color-scheme", content="light dark"),
        e("title", f"{title} – Rostrum"),
        e("style", files("harness.rendering").joinpath("page.css").read_text("utf-8")),
    )
    mark = e("svg", e("path", d=_MARK), viewBox="0 0 32 32", aria_hidden="true")
    top = e("div", mark, e("b", "Rostrum"), e("span", kind), class_="frame")
    foot = e(
        "div", f"Made by Rostrum {__version__}. This page asks the net for nothing.", class_="frame"
    )
    body = e(
        "body",
        e("header", top, class_="top"),
        e("main", *main, class_="frame"),
        e("footer", foot, class_="foot"),
    )
    return e("html", head, body, lang="en")


def section(title: str, *content: Content, anchor: str) -> Element:
    """A part of the page under a heading of the second level."""
    return e("section", e("h2", title, id=anchor), *content, aria_labelledby=anchor)


def table(
    heads: Sequence[Content], rows: Sequence[Element], *, caption: str, class_: str
) -> Element:
    """A table with its roles said, since the sheet lays it out as cards on a telephone.

    There each cell shows the name of its column itself, where the sheet asks for it.
    """
    cells = [e("th", head, scope="col", role="columnheader") for head in heads]
    for line in rows:
        for cell, head in zip(line, cells, strict=True):
            if cell.tag == "td":
                cell.set("data-label", "".join(head.itertext()))
                if "number" in cell.get("class", ""):
                    head.set("class", "number")
    return e(
        "table",
        e("caption", caption, class_="unseen"),
        e("thead", e("tr", *cells, role="row"), role="rowgroup"),
        e("tbody", *rows, role="rowgroup"),
        class_=f"{class_} stack",
        role="table",
    )


def row(head: Content, *cells: Content | tuple[str, Content], class_: str | None = None) -> Element:
    """A row under its own heading; a cell may be a pair of its class and its content."""
    made = [e("th", head, scope="row", role="rowheader")]
    for cell in cells:
        style, content = cell if isinstance(cell, tuple) else (None, cell)
        made.append(e("td", content, class_=style, role="cell"))
    return e("tr", *made, class_=class_, role="row")
