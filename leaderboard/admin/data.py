"""`rostrum admin data`: the data sets of a competition."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from harness.data import load
from leaderboard import datasets
from leaderboard.admin.output import (
    answer,
    as_json_option,
    competition_option,
    opened,
    table,
)
from leaderboard.datasets import Stored
from leaderboard.db.models import Role

ROLES = [role.value for role in Role if role is not Role.DICTIONARY]


@click.group("data")
def data() -> None:
    """Import and list data sets."""


@data.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the set is for.")
@click.option("--hidden", is_flag=True, help="Its text never leaves the evaluator (test only).")
@competition_option
@as_json_option
def import_file(
    file: Path, role: str, hidden: bool, competition_id: str | None, as_json: bool
) -> None:
    """Import FILE (fbdialog or JSONL); a bad line is refused with its number and reason."""
    db, chosen = opened(competition_id)
    stored = datasets.store(db, chosen, role, load(file), hidden=hidden)
    _answer_one(stored, as_json=as_json)


@data.command("dictionary")
@competition_option
@as_json_option
def dictionary(competition_id: str | None, as_json: bool) -> None:
    """Make the official dictionary from the train and valid sets."""
    db, chosen = opened(competition_id)
    _answer_one(datasets.make_dictionary(db, chosen), as_json=as_json)


@data.command("list")
@competition_option
@as_json_option
def list_sets(competition_id: str | None, as_json: bool) -> None:
    """List the data sets."""
    db, chosen = opened(competition_id)
    found = datasets.listing(db, chosen)
    rows = [(s.role, s.visibility, s.dialogues, s.examples, s.entries, s.name[:12]) for s in found]
    made = table(
        ("role", "visibility", "dialogues", "examples", "entries", "name"),
        rows,
        empty="No data sets yet: `rostrum admin data import FILE --role train`.",
    )
    answer(
        {"data_sets": [asdict(stored) for stored in found]},
        as_json=as_json,
        show=lambda console: console.print(made),
    )


def _answer_one(stored: Stored, *, as_json: bool) -> None:
    def show(console: Console) -> None:
        size = (
            f"{stored.entries} entries"
            if stored.entries is not None
            else f"{stored.dialogues} dialogues, {stored.examples} examples"
        )
        console.print(
            f"Stored {stored.role} ({stored.visibility}) of {stored.competition_id}: {size}, "
            f"known as {stored.name[:12]}",
            markup=False,
            soft_wrap=True,
        )

    answer({"data_set": asdict(stored)}, as_json=as_json, show=show)
