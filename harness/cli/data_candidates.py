"""`rostrum data candidates`: lists of candidates for a set, from a pool that shares no reply."""

import json
from pathlib import Path

import click

from harness.cli.data_files import (
    counted,
    dialogues,
    form_of,
    json_option,
    seed_option,
    skip_bad_option,
    write,
)
from harness.data.candidates import Needs, pool, with_candidates


@click.command("candidates")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--pool",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="Dialogues whose replies become distractors.",
)
@click.option("--count", default=20, show_default=True, help="Candidates of a list.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write: .jsonl, or .txt for ConvAI2's format.",
)
@seed_option
@skip_bad_option
@json_option
def candidates(
    file: Path,
    *,
    source: Path,
    count: int,
    out: Path,
    seed: int,
    skip_bad: int,
    as_json: bool,
) -> None:
    """Give every example of FILE a list: its reply at a drawn place, the rest from a pool.

    A distractor is never a reply of FILE, nor equal to another of its list after normalisation.
    Lists that FILE has are replaced.
    """
    needs = Needs.of(dialogues(file, skip_bad=skip_bad))
    drawn = pool(dialogues(source, skip_bad=skip_bad), needs=needs, seed=seed)
    again = dialogues(file, skip_bad=skip_bad, quiet=True)
    made = with_candidates(again, drawn.texts, needs=needs, count=count, seed=seed)
    write(out, made, form=form_of(out))
    needed = needs.examples * (count - 1)
    facts = {
        "distractors": len(drawn.texts),
        "needed": needed,
        "taken": drawn.taken,
        "doubles": drawn.doubles,
    }
    if as_json:
        document = {"file": str(out), "count": count, "seed": seed, **facts, "blank": drawn.blank}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"{out}: lists of {count} from {counted(len(drawn.texts), 'distractor')}")
    if needed > len(drawn.texts):
        click.echo(
            f"too few for {needed:,} places: each is listed {needed / len(drawn.texts):.1f} times "
            "and a reply mostly once, which gives it away to who remembers lists; a larger --pool "
            "or a smaller --count mends it",
            err=True,
        )
    click.echo(
        f"not used of the pool: {drawn.taken:,} that are replies of {file}, {drawn.doubles:,} "
        f"doubles, {drawn.blank:,} without a word"
    )
