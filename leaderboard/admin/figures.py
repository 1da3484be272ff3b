"""The figures of the human evaluation in a terminal, 80 columns wide, and as a document."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from harness.statistics import Estimate
from leaderboard.admin.output import Document, iso, safe
from leaderboard.api.documents import finalist_document
from leaderboard.human.results import ResultLine, Results, Share
from leaderboard.human.stages import VOID_REASONS
from leaderboard.quota import stamp

ENTRY_SHOWN = 40
"""Characters of an entry's name that the table shows."""


def show_results(console: Console, found: Results) -> None:
    """The table, then who took part and what went wrong."""
    console.print(safe(found.title), "·", _standing(found))
    console.print(f"Protocol {found.protocol_sha256[:12]} · {found.wanted} ratings wanted of each")
    console.print()
    console.print(_table(found))
    console.print()
    for line in found.lines:
        if line.withheld is not None:
            console.print(line.place, safe(line.entry), "is withheld:", safe(line.withheld))
        elif line.passed_over is not None:
            console.print(line.place, safe(line.entry), "is passed over:", safe(line.passed_over))
    console.print(
        f"Invited: {found.invited}. Raters who have begun: {found.raters}. "
        f"Conversations: {found.conversations}."
    )
    voids: Counter[str] = Counter()
    for line in found.lines:
        voids.update(line.voids)
    for code, number in sorted(voids.items()):
        console.print(f"Void, {code}: {number}. {VOID_REASONS[code].meaning}", markup=False)


def results_document(found: Results) -> Document:
    """The same values as JSON; what cannot be estimated yet is null."""
    return {
        "competition": found.competition_id,
        "title": found.title,
        "at": iso(found.moment),
        "opened_at": iso(found.opened_at),
        "closed_at": iso(found.closed_at),
        "protocol_sha256": found.protocol_sha256,
        "ratings_wanted": found.wanted,
        "invited": found.invited,
        "raters": found.raters,
        "conversations": found.conversations,
        "finalists": [_line_document(line) for line in found.lines],
    }


def enjoyment_text(estimate: Estimate | None) -> str:
    """A mean as `3.11 [2.80, 3.40] n=24`; without an interval where one rater gave all."""
    if estimate is None:
        return "– n=0"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return f"{estimate.value:.2f}{interval} n={estimate.n}"


def share_text(share: Share | None) -> str:
    """A share as `.90 [.83, .94] 45/50`."""
    if share is None:
        return "– 0/0"
    low, high = _fraction(share.low), _fraction(share.high)
    return f"{_fraction(share.value)} [{low}, {high}] {share.k}/{share.n}"


def served_text(share: Share | None) -> str:
    """A share in percent as `97% 58/60`."""
    return f"{share.value:.0%} {share.k}/{share.n}" if share is not None else "– 0/0"


def _table(found: Results) -> Table:
    """One line each; where the terminal is narrow the names are folded, never the figures."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("", no_wrap=True)
    made.add_column("entry", overflow="fold", min_width=10)
    for name in ("enjoyed (1-4)", "persona detected", "served", "now"):
        made.add_column(name, no_wrap=True)
    for line in found.lines:
        made.add_row(
            str(line.place),
            safe(line.entry[:ENTRY_SHOWN]),
            enjoyment_text(line.enjoyment),
            share_text(line.detected),
            served_text(line.served),
            str(line.under_way or ""),
        )
    return made


def _fraction(value: float) -> str:
    text = f"{value:.2f}"
    return text.removeprefix("0") if value < 1 else text


def _standing(found: Results) -> str:
    if found.closed_at is not None:
        return f"closed {stamp(found.closed_at)}"
    if found.opened_at is not None:
        return f"open since {stamp(found.opened_at)}"
    return "not opened: `rostrum admin human open`"


def _line_document(line: ResultLine) -> Document:
    """As the site shows it after the close, and what organizers alone see."""
    return finalist_document(line, closed=True) | {
        "ratings": line.ratings,
        "under_way": line.under_way,
        "voids": dict(line.voids),
    }
