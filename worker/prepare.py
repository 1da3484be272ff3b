"""Makes the runtimes of the sandboxes ahead of the first attempt, saying what it does."""

from collections.abc import Iterable

import click

from harness.errors import UsageError
from worker.images import make_base, prepare


def make_runtimes(names: Iterable[str], *, with_base: bool) -> None:
    """The runtime of each named sandbox, made if it is missing; one line for each.

    With `with_base` a container base image that cannot be pulled is made on this machine.
    """
    for name in names:
        click.echo(f"{name}: ready, {_made(name, with_base=with_base)}")


def _made(name: str, *, with_base: bool) -> str:
    try:
        return prepare(name, _say).digest
    except UsageError as error:
        if not (with_base and name == "docker" and error.code == "image_missing"):
            raise
    make_base(_say)
    return prepare(name, _say).digest


def _say(line: str) -> None:
    click.echo(line)
