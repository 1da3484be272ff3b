"""`rostrum doctor`: looks over this machine, line by line, before strangers' code runs on it."""

import json
import sys
from collections.abc import Iterator
from functools import partial

import click
from rich.console import Console

from harness.errors import OperatorError, UsageError
from worker.doctor.finding import Finding, Level, Look, fail

SANDBOXES = ("docker", "bubblewrap")


@click.command("doctor")
@click.option(
    "--sandbox",
    "sandboxes",
    multiple=True,
    type=click.Choice(SANDBOXES),
    help="Look at this sandbox (may be repeated).  [default: those that the competitions name]",
)
@click.option("--gpu", metavar="N", help="Prove that accelerator N is visible inside of a cell.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def doctor(*, sandboxes: tuple[str, ...], gpu: str | None, as_json: bool) -> None:
    """Look over this machine: may strangers' code run here, and would it? Nothing is changed.

    Each line is ok, warn (it works, and could be safer) or fail, and says what to do. Exit status:
    0 without a fail, 1 with one.
    """
    if gpu is not None and not (gpu.isascii() and gpu.isdigit()):
        raise click.UsageError(f"--gpu is {gpu!r}: give the number that nvidia-smi shows")
    from worker.doctor.show import Show

    show = Show(Console(stderr=as_json, highlight=False))
    found: list[Finding] = []
    with show:
        for area, look in _looks(sandboxes, gpu):
            show.begins(area)
            for finding in seen(area, look):
                found.append(finding)
                show.done(finding)
    show.over(found)
    if as_json:
        click.echo(json.dumps(document(found), indent=2))
    sys.exit(int(any(finding.level is Level.FAIL for finding in found)))


def seen(area: str, look: Look) -> Iterator[Finding]:
    """What a look finds; one that cannot be ended is a bad line itself, and the next ones go on."""
    try:
        yield from look()
    except (UsageError, OperatorError) as error:
        yield fail(area, error.message, error.hint or "See docs/doctor.md.")
    except Exception as error:  # a doctor that falls over helps nobody
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        yield fail(area, f"could not be looked at: {reason}", "Report this line.")


def document(found: list[Finding]) -> dict[str, object]:
    """Every line, and how the machine stands: as its worst line."""
    levels = [finding.level for finding in found]
    worst = next((one for one in (Level.FAIL, Level.WARN) if one in levels), Level.OK)
    lines = [
        {
            "name": finding.name,
            "level": finding.level.value,
            "text": finding.text,
            "todo": finding.todo,
        }
        for finding in found
    ]
    return {"doctor": {"level": worst.value, "lines": lines}}


def _looks(sandboxes: tuple[str, ...], gpu: str | None) -> Iterator[tuple[str, Look]]:
    """Every look in its order, each with what it is called while it lasts."""
    from leaderboard.settings import home
    from worker.doctor import cells, engine, house, machine
    from worker.settings import from_environment

    settings = from_environment()
    chosen = sandboxes or house.sandboxes()
    docker = "docker" in chosen
    folders = {
        "sandboxes": settings.sandbox_directory,
        "downloads": settings.cache_directory,
        "database": home(),
    }
    if docker and (root := engine.root()) is not None:
        folders["engine"] = root
    yield "kernel", machine.kernel
    yield "memory", machine.memory
    yield "disks", partial(machine.disks, settings, folders)
    yield "tools", partial(machine.tools, bubblewrap="bubblewrap" in chosen)
    yield "sandbox folder", partial(house.folders, settings, walled="bubblewrap" in chosen)
    yield "database", house.database
    yield "broker", house.broker
    yield "secrets", house.secrets
    if docker:
        yield "engine", partial(engine.look, below=settings.docker_runtime, gpu=gpu is not None)
    for name in chosen:
        yield f"{name} cell", partial(cells.look, name, settings, gpu=gpu)
