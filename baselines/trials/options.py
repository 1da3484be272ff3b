"""The options that commands over many trials share."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TypeVar

import click

from harness.cli.training import DEVICES
from harness.data.convai2 import SPLITS

Command = TypeVar("Command", bound=Callable[..., object])

_FOLDER = click.Path(path_type=Path)

SHARED = (
    click.option("--data", type=_FOLDER, required=True, help="Folder with *_self_original.txt."),
    click.option("--out", type=_FOLDER, required=True, help="Folder to work in; has the results."),
    click.option(
        "--split",
        type=click.Choice(SPLITS),
        default="test",
        show_default=True,
        help="Score on this split.",
    ),
    click.option("--seed", default=0, show_default=True, help="Seed of all chance."),
    click.option(
        "--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads to use."
    ),
    click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Where to train.",
    ),
    click.option("--updates", type=click.IntRange(1), help="Train each so many updates at most."),
)


def shared(command: Command) -> Command:
    """Give a command the shared options, in their order."""
    return reduce(lambda made, option: option(made), reversed(SHARED), command)
