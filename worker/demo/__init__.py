"""`rostrum demo`: a whole competition in one command, from data to a board in the browser.

It drives the other rooms through their commands only, as a person would.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from harness.errors import UsageError
from worker.demo import chaos as worst
from worker.demo import people as finals
from worker.demo import story
from worker.demo.plan import Plan, data_key
from worker.demo.shell import Shell
from worker.demo.show import Show
from worker.settings import from_environment

SANDBOXES = ("docker", "bubblewrap")


@click.command("demo")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with {train,valid,test}_self_original.txt; default: a generated sample.",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**31 - 1),
    help="Seed of the sample, the training and, in a demo only, the secrets.",
)
@click.option(
    "--sandbox",
    type=click.Choice(SANDBOXES),
    help="Where submissions run; default: docker if an engine answers, else bubblewrap.",
)
@click.option(
    "--json", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows here."
)
@click.option("--people", is_flag=True, help="Go on to the lock and invite one rater: you.")
@click.option(
    "--chaos", is_flag=True, help="Kill workers and the rest of it instead; say what held."
)
@click.option("--no-serve", is_flag=True, help="End when the board is made.")
@click.option("--port", type=click.IntRange(1, 65535), help="The site's port; default: 8000.")
@click.option("--updates", type=click.IntRange(1), hidden=True, help="Train less, for tests.")
def demo(
    *,
    data: Path | None,
    seed: int,
    sandbox: str | None,
    out: Path | None,
    people: bool,
    chaos: bool,
    no_serve: bool,
    port: int | None,
    updates: int | None,
) -> None:
    """Train the baselines, submit them, score them on a hidden test set, show the board."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's `&` makes it ignored
        signal.signal(number, _interrupt)
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent} is not a folder; --json names a file in a folder")
    try:
        with Show() as show:
            plan = _plan(data, seed=seed, sandbox=sandbox, updates=updates, show=show)
            if chaos:
                return _outlive(plan, out, show)
            with story.opened(plan, port=port) as (shell, url):
                board = story.compete(plan, shell, url, show)
                document = {"rows": story.rows(board, shell)}
                _write(out, document, show)
                show.board(board)
                invited = finals.invite(shell, url, show) if people else None
                if invited is not None:
                    _write(out, document | {"people": invited.as_json()}, show)
                if not no_serve:
                    _serve(url, invited, shell, show)
                elif invited is not None:
                    _say_how_to_serve(url, invited, shell, show)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None


def _plan(
    data: Path | None, *, seed: int, sandbox: str | None, updates: int | None, show: Show
) -> Plan:
    """What this run is about; the sample is generated, and the sandbox chosen, if not given."""
    root = from_environment().cache_directory.absolute() / "demo"
    root.mkdir(parents=True, exist_ok=True)
    if sandbox is None:
        from worker.sandbox.choose import pick

        sandbox = pick()
        show.say(f"Submissions run in the sandbox {sandbox} (chosen: --sandbox says otherwise)")
    if data is None:
        data = root / f"sample-{seed}"
        with show.step("Generating the sample data"):
            Shell(os.environ, root).run("data", "sample", "--out", str(data), "--seed", str(seed))
    data = data.absolute()
    return Plan(root, data, data_key(data), seed, sandbox, updates)


def _outlive(plan: Plan, out: Path | None, show: Show) -> None:
    """Exit code 1 where an invariant was broken or something is left."""
    outlived = worst.outlive(replace(plan, root=plan.root / "chaos"), show)
    _write(out, outlived.as_json(), show)
    if not outlived.good:
        raise click.exceptions.Exit(1)


def _write(out: Path | None, document: Mapping[str, Any], show: Show) -> None:
    if out is not None:
        out.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        show.say(f"Wrote {out}")


def _serve(url: str, invited: finals.People | None, shell: Shell, show: Show) -> None:
    """Keep the site up until Ctrl-C."""
    if invited is not None:
        show.say(f"Rate one yourself: {invited.link}")
    show.say(f"The board: {url}/   (Ctrl-C ends the demo)")
    while True:
        shell.expect_alive()
        time.sleep(0.5)


def _say_how_to_serve(url: str, invited: finals.People, shell: Shell, show: Show) -> None:
    show.say(f"Rate one yourself: {invited.link}")
    show.say("The link needs site, worker and beat; start them again, each in its own terminal:")
    for line in finals.again(shell.variables, url):
        show.plain(line)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
