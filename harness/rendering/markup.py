"""HTML and SVG as trees, so that every text is escaped when it is written out.

A text from outside passes `shown` first, which leaves nothing that could turn or hide the text
around it.
"""

from xml.etree.ElementTree import Element, tostring

from harness.cli.terminal import plain

__all__ = ["Element", "e", "foreign", "html", "shown"]

LONG = 600
"""Characters of a foreign text that are shown."""

Content = Element | str


def e(tag: str, *children: Content, **attributes: object) -> Element:
    """An element; `class_` is class, other `_` become `-`, an attribute of None is left out."""
    made = Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): str(value)
            for name, value in attributes.items()
            if value is not None
        },
    )
    for child in children:
        _append(made, child)
    return made


def shown(text: str, *, at_most: int = LONG) -> str:
    """A foreign text without control, bidirectional or invisible characters, clipped."""
    return plain(text if len(text) <= at_most else text[:at_most] + " …")


def foreign(text: str, *, at_most: int = LONG) -> Element:
    """A foreign text whose direction of writing stays its own."""
    return e("bdi", shown(text, at_most=at_most))


def html(root: Element) -> str:
    """The whole page."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _append(parent: Element, child: Content) -> None:
    if not isinstance(child, str):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + child
    else:
        parent.text = (parent.text or "") + child
