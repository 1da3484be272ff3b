"""What is wrong with candidate lists taken by themselves: place, doubles, lengths."""

import math

import numpy as np
from numpy.typing import NDArray

from harness.data.audit.finding import Finding, Place, Severity
from harness.data.audit.gather import Hashes, Lists

MIN_LISTS = 5
"""From so many lists on, a reply that always stands at one place does so by design."""


def by_lists(lists: Lists, *, examples: int, places: int) -> list[Finding]:
    """The findings on the lists of a file with so many examples."""
    if not len(lists):
        return []
    return [
        *_place(lists, places=places),
        *_answers(lists, places=places),
        *_duplicates(lists, places=places),
        *_counts(lists, examples=examples, places=places),
    ]


def _place(lists: Lists, *, places: int) -> list[Finding]:
    """The reply always at one place (from the front or the end), else a chi-square over places."""
    if len(lists) < MIN_LISTS:
        return []
    last = lists.size - 1 - lists.place
    for number, name in ((last, "last"), (lists.place, "first")):
        if not number.any():
            return [_where(lists, f"the reply is always {name}", severity=Severity.ERROR, n=places)]
    if (lists.place == lists.place[0]).all():
        where = f"the reply is always at place {lists.place[0] + 1}"
        return [_where(lists, where, severity=Severity.ERROR, n=places)]
    size = int(np.bincount(lists.size).argmax())
    chosen = lists.place[lists.size == size]
    seen = np.bincount(chosen, minlength=size)
    expected = len(chosen) / size
    if expected < 5:
        return []
    p = chi_square_p(float(np.sum((seen - expected) ** 2 / expected)), freedom=size - 1)
    if p >= 0.001:
        return []
    top = int(seen.argmax())
    sentence = (
        f"the places are not equally frequent (chi-square, p {p:.1g}); the most frequent is "
        f"{top + 1} with {100 * seen[top] / len(chosen):.1f} % instead of {100 / size:.1f} %"
    )
    severity = Severity.ERROR if seen[top] > len(chosen) / 2 else Severity.WARNING
    return [_where(lists, sentence, severity=severity, n=places, place=top)]


def _where(
    lists: Lists, sentence: str, *, severity: Severity, n: int, place: int | None = None
) -> Finding:
    hit = np.ones(len(lists), dtype=bool) if place is None else lists.place == place
    return _finding(lists, "reply-place", severity=severity, hit=hit, detail=sentence, n=n)


def chi_square_p(value: float, *, freedom: int) -> float:
    """The chance of a chi-square value at least as high (Wilson and Hilferty 1931, to .001)."""
    spread = 2 / (9 * freedom)
    z = ((value / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _answers(lists: Lists, *, places: int) -> list[Finding]:
    """Lists in which something beside the reply equals it after normalisation."""
    equal = lists.text == lists.reply[lists.of]
    hit = np.add.reduceat(equal, lists.start, dtype=np.int64) > 1
    return _any(
        lists,
        "distractor-is-answer",
        hit=hit,
        detail="rostrum counts either as right, other tools only one; chance is higher than 1 in n",
        n=places,
    )


def _duplicates(lists: Lists, *, places: int) -> list[Finding]:
    """Lists with fewer different candidates than candidates; the reply's own doubles apart."""
    distractor = lists.text != lists.reply[lists.of]
    of, text = lists.of[distractor], lists.text[distractor]
    order = np.lexsort((text, of))
    of, text = of[order], text[order]
    double = (of[1:] == of[:-1]) & (text[1:] == text[:-1])
    hit = np.zeros(len(lists), dtype=bool)
    hit[of[1:][double]] = True
    return _any(
        lists,
        "candidate-duplicates",
        hit=hit,
        detail=f"{int(double.sum())} distractors too many; such a list is shorter than it looks",
        n=places,
    )


def _counts(lists: Lists, *, examples: int, places: int) -> list[Finding]:
    """Lists of another length than most, and examples without one where others have one."""
    usual = int(np.bincount(lists.size).argmax())
    without = examples - len(lists)
    hit = lists.size != usual
    if not without and not hit.any():
        return []
    least, most = int(lists.size.min()), int(lists.size.max())
    spread = f"from {least} to {most}, most often {usual}" if least != most else f"of {usual}"
    found = _finding(
        lists,
        "candidate-counts",
        severity=Severity.WARNING,
        hit=hit,
        detail=f"lists {spread} candidates; {without} examples have none",
        n=places,
    )
    return [
        Finding(
            found.check,
            found.severity,
            found.file,
            count=found.count + without,
            total=examples,
            unit="examples",
            detail=found.detail,
            places=found.places,
        )
    ]


def _any(lists: Lists, check: str, *, hit: NDArray[np.bool_], detail: str, n: int) -> list[Finding]:
    if not hit.any():
        return []
    return [_finding(lists, check, severity=Severity.WARNING, hit=hit, detail=detail, n=n)]


def _finding(
    lists: Lists, check: str, *, severity: Severity, hit: NDArray[np.bool_], detail: str, n: int
) -> Finding:
    chosen: Hashes = np.flatnonzero(hit)[:n]
    return Finding(
        check,
        severity,
        lists.file,
        count=int(hit.sum()),
        total=len(lists),
        unit="examples",
        detail=detail,
        places=tuple(Place(lists.file, int(lists.owner[at]), int(lists.turn[at])) for at in chosen),
    )
