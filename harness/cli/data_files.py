"""How the data commands read and write files: with `--skip-bad`, and in either format."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import click
from rich.console import Console, RenderableType
from rich.text import Text

from harness.cli.terminal import plain
from harness.data import fbdialog, jsonl, resolve, stream
from harness.data.tolerance import Tolerance
from harness.dialogue import Dialogue
from harness.errors import UsageError

Format = Literal["jsonl", "fbdialog"]

SUFFIXES: dict[Format, str] = {"jsonl": ".jsonl", "fbdialog": ".txt"}

PIPE_WIDTH = 100

skip_bad_option = click.option(
    "--skip-bad",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Leave out up to N bad dialogues, each told on standard error.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document instead of text."
)
seed_option = click.option(
    "--seed", default=0, show_default=True, help="Another seed draws otherwise."
)
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(list(SUFFIXES)),
    default="jsonl",
    show_default=True,
    help="Rostrum's own JSONL, or ConvAI2's format.",
)


def dialogues(file: Path, *, skip_bad: int = 0, quiet: bool = False) -> Iterator[Dialogue]:
    """The dialogues of a file as they come; those left out are told unless `quiet`."""
    return stream(str(file), skip_bad=skip_bad, skipped=None if quiet else told)


def tolerance(bound: int) -> Tolerance:
    """What lets so many bad items pass and tells of each."""
    return Tolerance(bound, told)


def told(error: UsageError) -> None:
    """Tell on standard error what was left out."""
    click.echo(f"left out: {plain(error.message)}", err=True)


def write(file: Path, written: Iterable[Dialogue], *, form: Format) -> None:
    """Write dialogues as they come, in a folder that is made; `UsageError` if it cannot be."""
    try:
        file.absolute().parent.mkdir(parents=True, exist_ok=True)
        (jsonl if form == "jsonl" else fbdialog).write(file, written)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error


def form_of(file: Path) -> Format:
    """The format that a file's name asks for: `.txt` is ConvAI2's."""
    return "fbdialog" if bare(file).suffix == ".txt" else "jsonl"


def bare(file: Path) -> Path:
    """The file (of a fetched set, if it is the name of one) without `.gz`."""
    path = resolve(str(file))
    return path.with_suffix("") if path.suffix == ".gz" else path


def shown(*parts: RenderableType) -> None:
    """Print on the terminal; through a pipe 100 columns wide, without colours or padding.

    A text by itself is a heading: through a pipe it stays one line.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=not console.is_terminal and isinstance(part, Text))
    for line in captured.get().split("\n")[:-1]:
        click.echo(line if console.is_terminal else line.rstrip())


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 dialogue, 1,450 dialogues."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
