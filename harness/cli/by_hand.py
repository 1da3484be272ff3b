"""A file of a submission run by hand: the score as people read it, or a talk."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import click

import harness
from harness.agent import Responder, Track
from harness.asking import AnyAgent
from harness.cli import progress, talk
from harness.cli.public_data import data_file, dialogues_of, find_dictionary, persona_file
from harness.cli.scoring import Asked, options
from harness.cli.terminal import screen
from harness.cli.unfinished import INTERRUPTED, Unfinished, one_interrupt
from harness.errors import RostrumError
from harness.evaluation import evaluate
from harness.records import Writer, beside
from harness.rendering import figures
from harness.report import Report
from harness.submission import entry_name

_TITLES: dict[Track, str] = {"hits": "hits@1", "f1": "F1", "ppl": "perplexity"}
_OURS = str(Path(harness.__file__).parent)


def evaluate_by_hand(make_agent: Callable[[], AnyAgent], track: Track) -> None:
    """Read the command line, evaluate in this process, print the score; ends the process."""

    @click.command(help=f"Score this agent on the {track} track, on public data.")
    @options
    def command(**given: Any) -> None:  # Any: the fields of Asked
        asked = Asked(**given)
        run = Unfinished(track, asked.resume, folder=_folder(), apart=asked.out)
        try:
            with one_interrupt():
                report = _scored(make_agent, track, asked, run)
            _deliver(report, asked.out, run)
            run.over()
        except KeyboardInterrupt:
            click.echo(run.stopped("stopped"), err=True)
            sys.exit(INTERRUPTED)
        except RostrumError as error:
            _say(error)
            run.tell("ended")
            sys.exit(error.exit_code)
        except Exception as error:
            _show_theirs(error)
            run.tell("ended")
            sys.exit(1)
        finally:
            run.leave()

    _main(command)


def chat(make_agent: Callable[[], Responder]) -> None:
    """Read the command line and talk to the agent until an empty line; ends the process."""

    @click.command(help="Talk to this agent; an empty line ends the chat, /help lists commands.")
    @talk.options
    def command(persona: tuple[str, ...], data: Path | None, seed: int, out: Path | None) -> None:
        talk.expect_folder(out)
        personas = talk.Personas(persona, persona_file(data), seed=seed)
        folder = _folder()
        entry = entry_name(folder, default=folder.name or "agent")
        talk.hold(make_agent(), entry, personas=personas, on=screen(entry), out=out)

    _main(command)


def _scored(
    make_agent: Callable[[], AnyAgent], track: Track, asked: Asked, run: Unfinished
) -> Report:
    out = None if asked.out is None or str(asked.out) == "-" else asked.out
    talk.expect_folder(out)
    file = data_file(asked.data, split=asked.split, variant=asked.variant)
    dialogues = dialogues_of(file, limit=asked.limit, skip_bad=asked.skip_bad)
    vocabulary = find_dictionary(asked.dictionary, beside=file) if track == "ppl" else None
    agent = make_agent()
    sidecar = Writer(beside(out)) if out is not None and asked.examples else None
    with progress.shown(_TITLES[track]) as show, sidecar or nullcontext():
        report = evaluate(
            agent,
            dialogues,
            track,
            vocabulary=vocabulary,
            batch_size=asked.batch_size,
            batch_tokens=asked.batch_tokens,
            schedule="refill",
            profile=asked.profile,
            progress=run.watched(show),
            record=sidecar,
            state=run.journal,
        )
    return report if sidecar is None else replace(report, sidecar=sidecar.sidecar)


def _folder() -> Path:
    """Where the submission's files lie."""
    return Path(sys.argv[0]).absolute().parent


def _main(command: click.Command) -> None:
    try:
        command.main(prog_name=Path(sys.argv[0]).name)
    except RostrumError as error:
        _say(error)
        sys.exit(error.exit_code)


def _say(error: RostrumError) -> None:
    hint = f"\n{error.hint}" if error.hint else ""
    click.echo(f"{Path(sys.argv[0]).name}: {error.message}{hint}", err=True)


def _show_theirs(error: Exception) -> None:
    """Print the traceback from the first line of the agent's own code on; raise if it has none."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    if trace is None:
        raise error
    traceback.print_exception(error.with_traceback(trace))


def _deliver(report: Report, out: Path | None, run: Unfinished) -> None:
    if out is not None and str(out) == "-":
        click.echo(report.dumps())
        return
    if out is not None:
        report.save(out)
    for label, text in _lines(report, run):
        click.echo(f"{label:<12}{text}")
    if out is not None:
        click.echo(f"{'more':<12}rostrum report {out}")


def _lines(report: Report, run: Unfinished) -> Iterator[tuple[str, str]]:
    main, score = figures.headline(report), report.score
    value = figures.text(main.value, main.unit)
    yield _TITLES[report.track], f"{value} (95 % interval {figures.interval(main)}, over dialogues)"
    further = [f"{figures.label(m.name)} {figures.text(m.value, m.unit)}" for m in report.measures]
    if further:
        yield "further", ", ".join(further)
    yield "n", f"{score.n:,} examples in {len(report.totals):,} dialogues"
    if report.track == "ppl":
        yield "words", f"{report.tokens:,} scored, {report.unknown:,} outside the dictionary"
        yield "dictionary", f"{report.vocabulary:,} entries"
    if run.before:
        yield "resumed", f"{run.before:,} of the examples were answered before"
    yield "speed", f"{(score.n - run.before) / max(report.seconds, 1e-9):,.1f} examples/s"
    yield "signature", report.signature
