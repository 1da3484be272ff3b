"""`rostrum check DIR`: a dry run of a submission, as the server would run it, on this machine."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from harness.agent import TRACKS, Track

if TYPE_CHECKING:  # what a command needs is loaded when it runs
    from worker.check.data import PublicData
    from worker.check.rules import Rules

SANDBOXES = ("docker", "bubblewrap", "trusted")
_WALLS = {"trusted": ": NO WALLS, a plain process that can do all that you can"}


@click.command("check")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--track",
    "tracks",
    multiple=True,
    type=click.Choice(TRACKS),
    help="Ask only this track (may be repeated).  [default: all that are entered]",
)
@click.option(
    "--sandbox",
    type=click.Choice(SANDBOXES),
    help="Where it runs; trusted has no walls.  [default: docker, else bubblewrap]",
)
@click.option(
    "--limits",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The competition.toml whose limits and rules hold.  [default: the defaults]",
)
@click.option("--site", metavar="URL", help="Take the rules from the competition's site instead.")
@click.option("--data", metavar="WHERE", help="A file, a folder, or a fetched set's name.")
@click.option(
    "--dictionary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The official dictionary (ppl).",
)
@click.option(
    "--dialogues",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask the first N dialogues.  [default: as many as the server's preflight]",
)
@click.option("--gpu", metavar="N", help="Show it accelerator N, if it asks for one.")
@click.option("--log", "whole_log", is_flag=True, help="Show all that the program printed.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def check(
    directory: Path,
    *,
    tracks: tuple[Track, ...],
    sandbox: str | None,
    limits: Path | None,
    site: str | None,
    data: str | None,
    dictionary: Path | None,
    dialogues: int | None,
    gpu: str | None,
    whole_log: bool,
    as_json: bool,
) -> None:
    """Run the submission in DIRECTORY as the server would: the same checks of the tree, the same
    images, flags, limits and verdicts, on public data. Nothing leaves this machine.

    Exit status: 0 the preflight would pass, 1 it would not, 2 you asked wrongly.
    """
    from worker.check import data as public
    from worker.check import rules as written
    from worker.check.document import document
    from worker.check.folder import Folder
    from worker.check.ground import choose, prepared
    from worker.check.run import DryRun
    from worker.check.show import Show, head, verdict
    from worker.check.watch import interruptible

    rules = written.find(limits, site)
    folder = Folder.open(directory)
    entered_words = "ppl" in (tracks or folder.tracks())
    asked = dialogues or rules.competition.preflight_dialogues
    found = public.find(data, dictionary=dictionary, dialogues=asked, needs_words=entered_words)
    chosen = sandbox or choose()
    console = Console(stderr=as_json, highlight=False)
    facts = _facts(chosen, given=sandbox is not None, rules=rules, data=found)
    head(console, [("submission", str(directory)), *facts])
    with Show(console, whole_log=whole_log) as show:
        ground = prepared(chosen, gpu=gpu, audience=show)
        dry = DryRun(folder, ground, rules, found, tracks, show)
        with interruptible(dry.watch):
            steps = dry.steps()
    verdict(console, steps)
    if as_json:
        told = document(steps, directory=directory, ground=ground, rules=rules, data=found)
        click.echo(json.dumps(told, indent=2))
    sys.exit(int(any(step.failed for step in steps)))


def _facts(
    chosen: str, *, given: bool, rules: "Rules", data: "PublicData"
) -> Iterator[tuple[str, str]]:
    """Where it runs, by which rules, on what."""
    why = "" if given else ", chosen because --sandbox names none"
    yield "sandbox", f"{chosen}{_WALLS.get(chosen, '')}{why}"
    competition = rules.competition
    if not rules.known:
        yield "rules", "the defaults (--limits names a competition.toml, --site a site)"
    else:
        yield "rules", f"{rules.source} ({competition.title})"
        if chosen not in competition.sandbox:
            named = " or ".join(competition.sandbox)
            yield "", f"the competition runs in {named}: limits are not all seen as there"
    count = f"{len(data.dialogues)} dialogues" if len(data.dialogues) != 1 else "1 dialogue"
    yield "data", f"the first {count} of {data.source}"
