"""How an organizer's command answers: a readable table, or with `--json` one document.

Names come from outside: what a terminal shows has lost its control sequences.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import UsageError
from leaderboard import competition
from leaderboard.db.engine import Database, open_database
from leaderboard.shown import one_line

Document = dict[str, Any]  # Any: a JSON object

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
competition_option = click.option(
    "--competition",
    "competition_id",
    metavar="ID",
    help="The competition; by default ROSTRUM_COMPETITION, else the newest.",
)
reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Why, in a sentence; it is kept."
)

MAX_REASON = 400
"""Characters of a reason: with the words that a timeline puts before it, what a note holds."""


def checked_reason(text: str) -> str:
    """The reason as it is kept; `UsageError` (`bad_reason`) for a blank or endless one."""
    reason = " ".join(text.split())
    if not reason:
        raise UsageError(
            "--reason is empty", code="bad_reason", hint="Say why in a sentence: it is kept."
        )
    if len(reason) > MAX_REASON:
        raise UsageError(
            f"--reason has {len(reason)} characters, more than {MAX_REASON}",
            code="bad_reason",
            hint="Keep to a sentence or two.",
        )
    return reason


def opened(competition_id: str | None) -> tuple[Database, str]:
    """The database, and the competition that a command means."""
    db = open_database()
    return db, competition_id or competition.current(db)


def answer(document: Document, *, as_json: bool, show: Callable[[Console], None]) -> None:
    """Print the document, or let `show` print it for people."""
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        show(Console(highlight=False, soft_wrap=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> Table | Text:
    """Rows under headings; `empty` says what to do where there are none."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(safe(value) for value in row))
    return made if made.row_count else Text(empty)


def safe(value: object) -> Text:
    """A value as harmless text; nothing where there is none."""
    return Text("" if value in (None, "") else one_line(str(value)))


def iso(moment: datetime | None) -> str | None:
    """An instant in JSON: ISO 8601, UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
