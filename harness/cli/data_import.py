"""`rostrum data import`: other people's files as dialogues, with a summary of what was left out."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click

from harness.cli.data_files import (
    SUFFIXES,
    Format,
    counted,
    dialogues,
    format_option,
    json_option,
    seed_option,
    skip_bad_option,
    tolerance,
    write,
)
from harness.data import candidates, convai_logs, spc
from harness.data.convai_logs import Rating
from harness.data.spc import ANSWERING, Sides, Style
from harness.data.tolerance import Tolerance
from harness.data.writing import write_each
from harness.dialogue import Dialogue

Persona = Literal["self", "both", "other", "none"]

out_option = click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write to."
)


@click.command("spc")
@click.argument("file", type=click.Path(path_type=Path))
@out_option
@click.option(
    "--sides",
    type=click.Choice(list(ANSWERING)),
    default="second",
    show_default=True,
    help="Which speaker answers; both makes two dialogues of a talk.",
)
@click.option(
    "--persona",
    type=click.Choice(["self", "both", "other", "none"]),
    default="self",
    show_default=True,
    help="Which personas are kept, as in ConvAI2's variants.",
)
@click.option(
    "--text",
    "style",
    type=click.Choice(["convai2", "kept"]),
    default="convai2",
    show_default=True,
    help="Lower-case with punctuation apart, or as written.",
)
@click.option(
    "--candidates",
    "count",
    type=int,
    metavar="N",
    help="Lists of N, with replies of other talks, as ConvAI2 drew them.",
)
@seed_option
@format_option
@skip_bad_option
@json_option
def import_spc(
    file: Path,
    *,
    out: Path,
    sides: Sides,
    persona: Persona,
    style: Style,
    count: int | None,
    seed: int,
    form: Format,
    skip_bad: int,
    as_json: bool,
) -> None:
    """Read Synthetic-Persona-Chat's CSV FILE; writes OUT/<name of FILE>.jsonl (or .txt)."""
    target = out / f"{file.stem}{SUFFIXES[form]}"
    seen: Counter[str] = Counter()
    left_out = tolerance(skip_bad)

    def read() -> Iterator[tuple[object, Dialogue]]:
        """Each dialogue with its talk; what is left out is told and counted the last time."""
        seen.clear()
        skip = Tolerance(skip_bad) if passes.pop() else left_out
        for talk in spc.read(file, style=style, tolerance=skip):
            seen.update(talks=1, unspoken=talk.unspoken, joined=talk.joined)
            for one in map(talk.answered_by, ANSWERING[sides]):
                seen["dialogues" if one else "silent"] += 1
                if one:
                    seen["examples"] += len(one.examples)
                    yield talk.number, _with_persona(one, persona)

    passes = [False] if count is None else [False, True]
    made = (
        (one for _, one in read())
        if count is None
        else candidates.borrowed(read, count=count, seed=seed)
    )
    write(target, made, form=form)
    if as_json:
        document = {"file": str(target), **seen, "left_out": left_out.skipped}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(
        f"{target}: {counted(seen['dialogues'], 'dialogue')}, "
        f"{counted(seen['examples'], 'example')} of {counted(seen['talks'], 'talk')}"
    )
    click.echo(
        f"left out: {counted(left_out.skipped, 'bad talk')}, "
        f"{counted(seen['unspoken'], 'line')} without a speaker, "
        f"{counted(seen['silent'], 'side')} that never answered; "
        f"joined: {counted(seen['joined'], 'line')} of a speaker who went on"
    )
    if count is not None:
        click.echo(
            "distractors are replies of other talks of this file, as in ConvAI2; for a hidden set "
            "draw them from another file: rostrum data candidates"
        )


def _with_persona(dialogue: Dialogue, persona: Persona) -> Dialogue:
    return dataclasses.replace(
        dialogue,
        persona=dialogue.persona if persona in ("self", "both") else (),
        partner_persona=dialogue.partner_persona if persona in ("other", "both") else (),
    )


@click.command("fbdialog")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--to",
    "form",
    type=click.Choice(list(SUFFIXES)),
    default="jsonl",
    show_default=True,
    help="The format to write; fbdialog turns JSONL back.",
)
@skip_bad_option
@json_option
def import_fbdialog(file: Path, *, out: Path, form: Format, skip_bad: int, as_json: bool) -> None:
    """Rewrite FILE, ConvAI2's format or JSONL, in the format of --to."""
    seen: Counter[str] = Counter()

    def read() -> Iterator[Dialogue]:
        for one in dialogues(file, skip_bad=skip_bad):
            seen.update(dialogues=1, examples=len(one.examples))
            yield one

    write(out, read(), form=form)
    if as_json:
        click.echo(json.dumps({"file": str(out), **seen}, ensure_ascii=False))
        return
    held = counted(seen["dialogues"], "dialogue"), counted(seen["examples"], "example")
    click.echo(f"{out}: {', '.join(held)}")


@click.command("convai-logs")
@click.argument("file", type=click.Path(path_type=Path))
@out_option
@format_option
@skip_bad_option
@json_option
def import_convai_logs(
    file: Path, *, out: Path, form: Format, skip_bad: int, as_json: bool
) -> None:
    """Read the JSON of ConvAI2's volunteers; the bot is the side that answers.

    Writes OUT/<name of FILE>.jsonl (or .txt) and OUT/<name of FILE>.ratings.json: of each talk the
    enjoyment, whether the bot's persona was told, times and participants.
    """
    target = out / f"{file.stem}{SUFFIXES[form]}"
    seen: Counter[str] = Counter()
    ratings: list[Rating] = []
    left_out = tolerance(skip_bad)

    def read() -> Iterator[Dialogue]:
        for talk in convai_logs.read(file, tolerance=left_out):
            ratings.append(talk.rating)
            seen.update(talks=1, unanswered=talk.unanswered, blank=talk.blank)
            seen["rated"] += talk.rating.eval_score is not None
            seen["silent"] += talk.dialogue is None
            if talk.dialogue:
                seen.update(dialogues=1, examples=len(talk.dialogue.examples))
                yield talk.dialogue

    write(target, read(), form=form)
    kept = out / f"{file.stem}.ratings.json"
    document = {"schema": 1, "ratings": [dataclasses.asdict(rating) for rating in ratings]}
    write_each(kept, [json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8"), b"\n"])
    if as_json:
        summary = {"file": str(target), "ratings": str(kept), **seen, "left_out": left_out.skipped}
        click.echo(json.dumps(summary, ensure_ascii=False))
        return
    held = counted(seen["dialogues"], "dialogue"), counted(seen["examples"], "example")
    click.echo(f"{target}: {', '.join(held)} of {counted(seen['talks'], 'talk')}")
    click.echo(f"{kept}: {counted(seen['rated'], 'talk')} rated")
    click.echo(
        f"left out: {counted(left_out.skipped, 'bad talk')}, {counted(seen['silent'], 'talk')} in "
        f"which the bot never spoke, {counted(seen['unanswered'], 'message')} that nobody "
        f"answered, {counted(seen['blank'], 'empty message')}"
    )
