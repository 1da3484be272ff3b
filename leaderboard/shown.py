"""Text from outside, made harmless to show on a page or in a terminal.

HTML is escaped by the templates; this module deals with what escaping leaves in: terminal
control sequences, characters that reorder or hide text, and towers of combining marks.
"""

import re
import unicodedata

MAX_SHOWN = 200
"""Characters of a name that are shown."""

MAX_MARKS = 3
"""Combining marks kept on one character."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
_EMPTY_LINES = re.compile(r"\n\s*\n")


def one_line(text: str, *, limit: int = MAX_SHOWN) -> str:
    """The text as one visible line of at most `limit` characters.

    Controls and other invisible characters are shown as their code point in angle brackets
    (⟨U+001B⟩, ⟨U+202E⟩); an empty text is shown as a dash.
    """
    cut = text[: limit + 1]
    shown = "".join(_visible(cut[:limit], keep=""))
    return (shown + "…" if len(cut) > limit else shown).strip() or "–"


def lines(text: str, *, limit: int = 256 << 10) -> str:
    """The text with its line breaks and tabs, everything else as in `one_line`."""
    unified = text[:limit].replace("\r\n", "\n")
    return "".join(_visible(unified, keep="\n\t"))


def speech(text: str, *, limit: int) -> str:
    """What somebody wrote in a chat, at most `limit` characters and without rows of empty lines.

    Breaks stay, and the joiners that some scripts and emoji are written with; everything else as
    in `one_line`.
    """
    unified = text[:limit].replace("\r\n", "\n").replace("\r", "\n")
    shown = "".join(_visible(unified, keep="\n\t" + _JOINERS))
    return _EMPTY_LINES.sub("\n\n", shown).strip()


def _visible(text: str, *, keep: str) -> list[str]:
    parts: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            continue
        hidden = category in _HIDDEN and character not in keep
        parts.append(_named(character) if hidden else character)
    return parts


def _named(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
