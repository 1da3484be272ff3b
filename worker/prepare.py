"""Makes the runtimes of the sandboxes ahead of the first attempt, saying what it does."""

from collections.abc import Iterable

import click

from harness.errors import UsageError
from worker.images import make_base, prepare
from worker.images.docker import has_base


def make_runtimes(names: Iterable[str], *, make_base: bool) -> None:
    """The runtime of each named sandbox, made if it is missing; one line for each.

    With `make_base` a container base image that cannot be pulled is made on this machine.
    """
    for name in names:
        runtime = _made(name, make_base=make_base)
        click.echo(f"{name}: ready, {runtime}")


def _made(name: str, *, make_base: bool) -> str:
    try:
        return prepare(name, _say).digest
    except UsageError as error:
        if not (make_base and name == "docker" and error.code == "image_missing"):
            raise
    _make_base()
    return prepare(name, _say).digest


def _make_base() -> None:
    if not has_base():
        make_base(_say)


def _say(line: str) -> None:
    click.echo(line)
