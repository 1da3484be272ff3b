"""A file of a submission run by hand: options, progress, the score as people read it, a talk."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.agent import Responder, Track
from harness.cli import talk
from harness.cli.terminal import screen
from harness.data import load
from harness.errors import RostrumError, UsageError
from harness.evaluation import BATCH_SIZE, AnyAgent, evaluate
from harness.report import Report
from harness.submission import entry_name
from harness.text import Vocabulary

DATA_VARIABLE = "ROSTRUM_DATA"
"""The folder of the public data; `./data` by default."""

SPLITS = ("train", "valid", "test")
_FILE = "{split}_self_original.txt"
_TITLES: dict[Track, str] = {"hits": "hits@1", "f1": "F1", "ppl": "perplexity"}


def evaluate_by_hand(make_agent: Callable[[], AnyAgent], track: Track) -> None:
    """Read the command line, evaluate in this process, print the score; ends the process."""

    @click.command(help=f"Score this agent on the {track} track, on public data.")
    @click.option("--data", type=click.Path(path_type=Path), help="Dialogues, or their folder.")
    @click.option("--split", type=click.Choice(SPLITS), default="valid", show_default=True)
    @click.option("--limit", type=click.IntRange(min=1), help="Score the first N dialogues only.")
    @click.option("--batch-size", type=click.IntRange(min=1), default=BATCH_SIZE, show_default=True)
    @click.option("--dictionary", type=click.Path(path_type=Path), help="The official dictionary.")
    @click.option("--json", "out", type=click.Path(path_type=Path), help="Report; - prints it.")
    def command(
        *,
        data: Path | None,
        split: str,
        limit: int | None,
        batch_size: int,
        dictionary: Path | None,
        out: Path | None,
    ) -> None:
        file = data_file(data, split=split)
        dialogues = load(file)[:limit]
        vocabulary = find_dictionary(dictionary, beside=file) if track == "ppl" else None
        agent = make_agent()
        with _progress(track) as progress:
            report = evaluate(
                agent,
                dialogues,
                track,
                vocabulary=vocabulary,
                batch_size=batch_size,
                progress=progress,
            )
        _deliver(report, out, dialogues=len(dialogues))

    _main(command)


def chat(make_agent: Callable[[], Responder]) -> None:
    """Read the command line and talk to the agent until an empty line; ends the process."""

    @click.command(help="Talk to this agent; an empty line ends the chat, /help lists commands.")
    @talk.options
    def command(persona: tuple[str, ...], data: Path | None, seed: int, out: Path | None) -> None:
        talk.expect_folder(out)
        personas = talk.Personas(persona, persona_file(data), seed=seed)
        folder = Path(sys.argv[0]).absolute().parent
        entry = entry_name(folder, default=folder.name or "agent")
        talk.hold(make_agent(), entry, personas=personas, on=screen(entry), out=out)

    _main(command)


def persona_file(data: Path | None) -> Path | None:
    """The dialogues that personas are drawn from; none where there are none and none are named."""
    try:
        return data_file(data, split="valid")
    except UsageError:
        if data is not None:
            raise
        return None


def data_file(data: Path | None, *, split: str) -> Path:
    """The file to score on: `--data` itself, or the split's file in that or the usual folder."""
    place = data if data is not None else Path(os.environ.get(DATA_VARIABLE, "data"))
    if place.is_file():
        return place
    file = place / _FILE.format(split=split)
    if file.is_file():
        return file
    raise UsageError(
        f"there is no {file}; name a file or folder with --data, or set {DATA_VARIABLE} to the "
        f"folder that holds {_FILE.format(split=split)}"
    )


def find_dictionary(dictionary: Path | None, *, beside: Path) -> Vocabulary:
    """The dictionary file, or the dictionary of the train and valid sets beside the data."""
    if dictionary is not None:
        return Vocabulary.load(dictionary)
    files = [beside.parent / _FILE.format(split=split) for split in ("train", "valid")]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UsageError(
            f"ppl needs the official dictionary: name it with --dictionary, or put "
            f"{' and '.join(missing)} beside {beside}"
        )
    return Vocabulary.build(*map(load, files))


def _main(command: click.Command) -> None:
    try:
        command.main(prog_name=Path(sys.argv[0]).name)
    except RostrumError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        click.echo(f"{Path(sys.argv[0]).name}: {error.message}{hint}", err=True)
        sys.exit(error.exit_code)


@contextmanager
def _progress(track: Track) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn(_TITLES[track]),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("examples"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(track, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def _deliver(report: Report, out: Path | None, *, dialogues: int) -> None:
    if out is not None and str(out) == "-":
        click.echo(report.dumps())
        return
    for label, text in _lines(report, dialogues=dialogues):
        click.echo(f"{label:<12}{text}")
    if out is not None:
        try:
            out.write_text(report.dumps() + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from error


def _lines(report: Report, *, dialogues: int) -> Iterator[tuple[str, str]]:
    score = report.score
    value, low, high = (_number(report.track, x) for x in (score.value, score.low, score.high))
    yield _TITLES[report.track], f"{value} (95 % interval {low} to {high}, over dialogues)"
    yield "n", f"{score.n:,} examples in {dialogues:,} dialogues"
    if report.track == "ppl":
        yield "words", f"{report.tokens:,} scored, {report.unknown:,} outside the dictionary"
        yield "dictionary", f"{report.vocabulary:,} entries"
    yield "speed", f"{score.n / max(report.seconds, 1e-9):,.1f} examples/s"
    yield "signature", report.signature


def _number(track: Track, value: float) -> str:
    return f"{value:.4g}" if track == "ppl" else f"{100 * value:.2f} %"
