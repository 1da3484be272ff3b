"""`rostrum data show`: a dialogue of a file as a person would read it."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.align import Align
from rich.box import ROUNDED
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.text import Text

from harness.cli.data_files import dialogues, json_option, skip_bad_option
from harness.cli.terminal import plain
from harness.data import jsonl
from harness.dialogue import SILENCE, Dialogue, Example
from harness.errors import UsageError


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--dialogue",
    "wanted",
    metavar="N|ID",
    help="Begin with the N-th dialogue, or the one of this id.  [default: the first]",
)
@click.option(
    "--limit", default=1, show_default=True, type=click.IntRange(min=1), help="How many to show."
)
@click.option("--candidates", is_flag=True, help="With the lists, the reply marked.")
@skip_bad_option
@json_option
def show(
    file: Path,
    *,
    wanted: str | None,
    limit: int,
    candidates: bool,
    skip_bad: int,
    as_json: bool,
) -> None:
    """Show a dialogue of FILE (ConvAI2's .txt, or .jsonl); reads no further than that one."""
    found = _found(enumerate(dialogues(file, skip_bad=skip_bad), 1), file=file, wanted=wanted)
    chosen = islice(found, limit)
    if as_json:
        shown = [{"number": number, **_document(one)} for number, one in chosen]
        click.echo(json.dumps({"file": str(file), "shown": shown}, ensure_ascii=False))
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        for number, one in chosen:
            for part in _page(one, number=number, lists=candidates, width=console.width):
                console.print(part)
    else:
        for number, one in chosen:
            click.echo("\n".join(_lines(one, number=number, lists=candidates)))


def _found(
    numbered: Iterator[tuple[int, Dialogue]], *, file: Path, wanted: str | None
) -> Iterator[tuple[int, Dialogue]]:
    """From the wanted dialogue on: a whole number is a place in the file, all else an id."""
    place = int(wanted) if wanted and wanted.isascii() and wanted.isdigit() else None
    number = 0
    begun = False
    for number, dialogue in numbered:
        begun = begun or (wanted in (None, dialogue.id) if place is None else number == place)
        if begun:
            yield number, dialogue
    if not begun:
        which = f"number {place}" if place is not None else f"the id {plain(wanted or '')!r}"
        raise UsageError(f"{file} has no dialogue {which}; it has {number}")


def _document(dialogue: Dialogue) -> dict[str, Any]:  # Any: JSON values
    document: dict[str, Any] = json.loads(jsonl.dumps([dialogue]))
    return document


def _title(dialogue: Dialogue, *, number: int) -> str:
    name = f"dialogue {number}"
    return name if dialogue.id == str(number) else f"{name}, id {plain(dialogue.id)}"


def _lines(dialogue: Dialogue, *, number: int, lists: bool) -> Iterator[str]:
    yield _title(dialogue, number=number)
    for sentence in dialogue.persona:
        yield f"  persona  {plain(sentence)}"
    for sentence in dialogue.partner_persona:
        yield f"  partner's persona  {plain(sentence)}"
    for example in dialogue.examples:
        for text in example.partner:
            yield f"  partner  {plain(text)}"
        yield "  self     " + plain(" | ".join(example.replies))
        for mark, text in _listed(example) if lists else ():
            yield f"           {mark} {text}"


def _listed(example: Example) -> Iterator[tuple[str, str]]:
    for text in example.candidates:
        yield ("*" if text in example.replies else "-"), plain(text)


def _page(dialogue: Dialogue, *, number: int, lists: bool, width: int) -> Iterator[RenderableType]:
    """Personas on top, then bubbles: the partner on the left, the answering side on the right."""
    bubble = max(20, min(72, width * 2 // 3))
    yield Text(_title(dialogue, number=number), style="bold")
    for title, persona in (
        ("persona of the answering side", dialogue.persona),
        ("persona of the partner", dialogue.partner_persona),
    ):
        if persona:
            yield Panel(
                _bullets(persona), title=title, title_align="left", style="dim", box=ROUNDED
            )
    for place, example in enumerate(dialogue.examples, 1):
        for text in example.partner:
            yield _bubble(text, title="partner", width=bubble)
        title = f"reply {place}"
        if example.reward:
            title += f", reward {plain(example.reward)[:20]}"
        yield Align.right(
            _bubble("\n".join(example.replies), title=title, width=bubble, style="cyan")
        )
        if lists and example.candidates:
            yield Align.right(_list(example, width=bubble))


def _bullets(sentences: tuple[str, ...]) -> Text:
    return Text("\n").join(Text(f"- {plain(sentence)}") for sentence in sentences)


def _bubble(text: str, *, title: str, width: int, style: str = "") -> Panel:
    words = Text("(begins: says nothing yet)", style="dim") if text == SILENCE else _clean(text)
    needed = max(*map(cell_len, words.plain.split("\n")), len(title) + 2) + 4
    return Panel(
        words,
        title=Text(title, style="dim"),
        title_align="left",
        width=min(width, needed),
        border_style=style or "dim",
        box=ROUNDED,
    )


def _list(example: Example, *, width: int) -> Panel:
    rows = [
        Text(f"{mark} {text}", style="bold green" if mark == "*" else "dim")
        for mark, text in _listed(example)
    ]
    title = Text(f"{len(rows)} candidates, * the reply", style="dim")
    return Panel(
        Text("\n").join(rows),
        title=title,
        title_align="left",
        width=width,
        style="dim",
        box=ROUNDED,
    )


def _clean(text: str) -> Text:
    return Text("\n").join(Text(plain(line)) for line in text.split("\n"))
