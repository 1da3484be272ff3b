"""What one example was worth, in words, and how much each of its words surprised."""

import math

from harness.agent import Track
from harness.records import Record
from harness.rendering.figures import bare, plural

SHADES = (2.0, 4.0, 6.0, 8.0, 10.0)
"""Nats from which a word is drawn one shade darker: 10 nats is one chance in 22,000."""


def worth(record: Record, track: Track, *, candidates: int | None = None) -> str:
    """`reply put at 7 of 20`, `F1 0.00 %`, `8.31 nats a word over 9 words`."""
    if track == "hits":
        of = f" of {candidates}" if candidates else ""
        place = f"reply ranked {record.rank}{of}" if record.rank else "reply not among candidates"
        return place
    if track == "f1":
        return f"F1 {bare(record.value, 'fraction')} %"
    nats = nats_a_word(record)
    said = "infinite loss" if math.isinf(nats) else f"{nats:.2f} nats a word"
    return f"{said} over {plural(int(record.weight), 'word')}"


def nats_a_word(record: Record) -> float:
    """The mean loss of the scored words."""
    return record.value / record.weight if record.weight else 0.0


def shade(loss: float) -> int:
    """0 for a word that was expected, up to 5."""
    return sum(loss >= step for step in SHADES)
