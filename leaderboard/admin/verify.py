"""`rostrum admin verify`: whether everything that must be true of every submission is true."""

import click
from rich.console import Console

from leaderboard.admin.output import Document, answer, as_json_option, safe, table
from leaderboard.db.engine import open_database
from leaderboard.invariants import INVARIANTS, Examined, examine


@click.command("verify")
@click.option("--settled", is_flag=True, help="Expect that nothing waits or runs any more.")
@as_json_option
@click.pass_context
def verify(context: click.Context, settled: bool, as_json: bool) -> None:
    """Check every submission's timeline, lease, quota and reports; exit 1 if one is not right."""
    found = examine(open_database(), settled=settled)
    answer(
        _document(found, settled=settled),
        as_json=as_json,
        show=lambda console: _show(console, found),
    )
    if found.counts:
        context.exit(1)


def _show(console: Console, found: Examined) -> None:
    rows = [(one.name, one.promise, _word(found.counts.get(one.name, 0))) for one in INVARIANTS]
    console.print(table(("invariant", "what must hold", "result"), rows, empty=""))
    if not found.counts:
        looked = f"{found.submissions} submissions and {found.attempts} attempts"
        console.print(f"\nAll hold for {looked}.", markup=False)
        return
    console.print()
    for sentence in found.sentences:
        console.print(safe(sentence), soft_wrap=True)
    console.print("\nSee docs/chaos.md#what-to-do-about-a-breach.", markup=False)


def _word(count: int) -> str:
    return f"{count} broken" if count else "holds"


def _document(found: Examined, *, settled: bool) -> Document:
    return {
        "settled": settled,
        "submissions": found.submissions,
        "attempts": found.attempts,
        "invariants": [
            {
                "name": one.name,
                "promise": one.promise,
                "broken": found.counts.get(one.name, 0),
                "breaches": found.breaches.get(one.name, []),
            }
            for one in INVARIANTS
        ],
    }
