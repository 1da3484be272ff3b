"""How a run is asked for on a command line: the options of a track file and of `rostrum eval`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.public_data import CHOICES, COMPETITION
from harness.data.convai2 import SPLITS
from harness.schedule import BATCH_SIZE

F = TypeVar("F", bound=Callable[..., Any])  # Any: click calls it with the options

_COUNT = click.IntRange(min=1)
_FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--data", metavar="WHERE", help="A file, a folder, or a fetched set's name."),
    click.option("--split", type=click.Choice(SPLITS), default="valid", show_default=True),
    click.option(
        "--variant",
        type=click.Choice(CHOICES),
        default=COMPETITION,
        show_default=True,
        metavar="PERSONA_WORDING",
        help="Which of ConvAI2's files in a folder: self, none, other or both personas; original "
        "or revised; _no_cands for those without candidates.",
    ),
    click.option("--limit", type=_COUNT, metavar="N", help="Score the first N dialogues only."),
    click.option("--batch-size", type=_COUNT, default=BATCH_SIZE, show_default=True, metavar="N"),
    click.option(
        "--batch-tokens",
        type=_COUNT,
        metavar="N",
        help="At most N words in a batch when padded to its longest.",
    ),
    click.option("--dictionary", type=_FILE, metavar="FILE", help="The official dictionary (ppl)."),
    click.option(
        "--skip-bad",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="Leave out up to N bad dialogues, each told on standard error.",
    ),
    click.option(
        "--profile/--no-profile",
        default=True,
        show_default=True,
        help="Measure further what costs time: BLEU, chrF, distinct-n, length, persona (f1).",
    ),
    click.option(
        "--resume",
        type=_FILE,
        metavar="FILE",
        help="Go on from this journal of a stopped run; it is begun if absent.",
    ),
    click.option(
        "--json", "out", type=_FILE, metavar="FILE", help="Write the report here; - prints it."
    ),
    click.option(
        "--examples/--no-examples",
        default=True,
        show_default=True,
        help="Write what each example gave beside the report.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for; the fields are named as the options."""

    data: str | None
    split: str
    variant: str
    limit: int | None
    batch_size: int
    batch_tokens: int | None
    dictionary: Path | None
    skip_bad: int
    profile: bool
    resume: Path | None
    out: Path | None
    examples: bool


def options(command: F) -> F:
    """Give a command the options of a run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(context: click.Context, *, but: Collection[str] = ()) -> list[str]:
    """The options that were named on this command line, as arguments, but for these."""
    arguments: list[str] = []
    for option in context.command.params:
        if not isinstance(option, click.Option) or option.name in (None, *but):
            continue
        source = context.get_parameter_source(option.name)
        if source is click.core.ParameterSource.COMMANDLINE:
            arguments += _spelled(option, context.params[option.name])
    return arguments


def _spelled(option: click.Option, value: object) -> list[str]:
    if option.is_flag:
        return [(option.opts if value else option.secondary_opts)[0]]
    return [option.opts[0], str(value)]
