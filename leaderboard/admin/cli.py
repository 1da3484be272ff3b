"""`rostrum admin`: the group, and the commands that set a competition up."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from harness.errors import UsageError
from leaderboard import competition
from leaderboard.admin.data import data
from leaderboard.admin.files import read_text
from leaderboard.admin.human import human
from leaderboard.admin.install import install
from leaderboard.admin.lock import lock
from leaderboard.admin.output import answer, as_json_option
from leaderboard.admin.rounds import rounds
from leaderboard.admin.submissions import submissions
from leaderboard.admin.teams import quota, teams
from leaderboard.admin.verify import verify
from leaderboard.admin.workers import workers
from leaderboard.db.engine import open_database
from leaderboard.db.roles import grant_worker

MAX_TOML_BYTES = 1 << 20


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def admin() -> None:
    """The organizer's commands."""


@admin.command("init")
@click.option(
    "--worker-role",
    metavar="NAME",
    help="Also let this role of PostgreSQL do what workers do, and nothing else.",
)
@as_json_option
def init(worker_role: str | None, as_json: bool) -> None:
    """Make the folder, the secret key and the tables; safe to repeat, and how to upgrade."""
    made = install()
    if worker_role is not None:
        grant_worker(open_database(), worker_role)
    document = {**asdict(made), "home": str(made.home), "made": list(made.made)}

    def show(console: Console) -> None:
        what = ", ".join(made.made).replace("_", " ") or "nothing, all was there"
        console.print(f"Home      {made.home}", markup=False)
        console.print(f"Database  {made.database}", markup=False)
        console.print(f"Broker    {made.broker}", markup=False)
        console.print(f"Made      {what}", markup=False)

    answer(document, as_json=as_json, show=show)


@admin.group("competition")
def competition_group() -> None:
    """Load competitions."""


@competition_group.command("load")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--id", "chosen_id", metavar="ID", help="Use this id instead of the file's.")
@click.option("--demo", is_flag=True, help="A demo: its secrets follow from --seed.")
@click.option("--seed", type=int, help="The seed of a demo.  [default: 0]")
@as_json_option
def load(file: Path, chosen_id: str | None, demo: bool, seed: int | None, as_json: bool) -> None:
    """Load or change a competition from its competition.toml."""
    if seed is not None and not demo:
        raise UsageError(
            "--seed is for demos only: the secrets of a real competition are random",
            hint="Add --demo, or leave --seed out.",
        )
    db = open_database()
    loaded = competition.load(
        db,
        read_text(file, limit=MAX_TOML_BYTES, bad="bad_competition"),
        chosen_id=chosen_id,
        seed=(seed or 0) if demo else None,
    )
    document = {"competition": {"id": loaded.id, "title": loaded.title, "demo": demo}}

    def show(console: Console) -> None:
        kind = "demo competition" if demo else "competition"
        console.print(f"Loaded {kind} {loaded.id}: {loaded.title}", markup=False)

    answer(document, as_json=as_json, show=show)


for command in (data, teams, quota, submissions, workers, rounds, lock, human, verify):
    admin.add_command(command)
