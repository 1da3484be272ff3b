"""`rostrum ablate`: models by persona conditions by lengths of lists, from one command."""

from collections.abc import Sequence
from pathlib import Path

import click

from baselines.ablation import tables
from baselines.ablation.cells import Cell, Gap
from baselines.ablation.conditions import CONDITIONS
from baselines.ablation.plot import plot
from baselines.ablation.prepared import read
from baselines.ablation.study import conditions, study
from baselines.commands import folder
from baselines.table.command import INTERRUPTED, training_options
from baselines.table.rows import ROWS, Row
from baselines.trials import process
from baselines.trials.options import shared
from baselines.trials.place import place
from baselines.trials.trial import Bench
from harness.data.candidates import MAX_COUNT
from harness.errors import UsageError
from harness.files import write_whole
from harness.submission import entered

MODELS = ("ranker-bow", "ranker-lstm", "ranker-transformer")
"""The seed paper's three (Mazaré et al. 2018), which are trained where none are named."""

COUNTS = (20, 100)

_ROWS = {row.name: row for row in ROWS if row.like is None}
_NAMES = click.Choice(list(_ROWS))


@click.command("ablate")
@shared
@click.option(
    "--model",
    "models",
    type=_NAMES,
    multiple=True,
    default=MODELS,
    metavar="ROW",
    help="A row of `rostrum baselines`; repeatable.  [default: the rankers bow, lstm, transformer]",
)
@click.option(
    "--persona",
    "personas",
    type=click.Choice(CONDITIONS),
    multiple=True,
    default=CONDITIONS,
    help="A condition; repeatable.  [default: all]",
)
@click.option(
    "--candidates",
    "counts",
    type=click.IntRange(2, MAX_COUNT),
    multiple=True,
    default=COUNTS,
    show_default=True,
    metavar="N",
    help="A length of the lists; repeatable.",
)
def ablate(
    data: Path,
    *,
    out: Path,
    models: tuple[str, ...],
    personas: tuple[str, ...],
    counts: tuple[int, ...],
    split: str,
    seed: int,
    threads: int,
    device: str,
    updates: int | None,
) -> None:
    """Train each model under each persona condition and rank among N candidates.

    Persona: none, self, revised, other (the partner's), random (other people's sentences).
    --out holds ablation.md, ablation.json and ablation.svg at the end. A condition whose data is
    absent is said and left out. After a stop the same command goes on. The exit code is 1 where a
    training failed.
    """
    rows = [_ranking(name) for name in dict.fromkeys(models)]
    further = training_options(device=device, updates=updates)
    with place(out) as here, process.ended_in_order():
        bench = Bench(place=here, seed=seed, threads=threads, further=further)
        try:
            source = read(data.resolve(), split=split, counts=sorted(set(counts)), seed=seed)
            present, absent = conditions(personas, source, bench=bench)
            cells, failed = study(rows, present, bench=bench)
        except KeyboardInterrupt:
            click.echo(f"stopped; the same command goes on from {out}", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        facts = tables.Facts(
            data=data.resolve().name,
            split=split,
            seed=seed,
            threads=threads,
            known={name: (one.known, one.dialogues) for name, one in present.items()},
            further=further,
        )
        _deliver(out, cells, [*absent, *failed], facts)
    if failed or not cells:
        raise click.exceptions.Exit(1)


def _ranking(name: str) -> Row:
    """The row of this name; `UsageError` where its baseline does not rank."""
    row = _ROWS[name]
    if "hits" not in entered(folder(row.baseline)):
        raise UsageError(f"{name} does not enter the hits track; choose another --model")
    return row


def _deliver(out: Path, cells: Sequence[Cell], gaps: Sequence[Gap], facts: tables.Facts) -> None:
    text = tables.page(cells, gaps, facts)
    write_whole(out / "ablation.md", text.encode("utf-8"))
    write_whole(out / "ablation.json", tables.document(cells, gaps, facts))
    if cells:
        title = f"What a persona is worth, on {facts.data} ({facts.split})"
        write_whole(out / "ablation.svg", plot(cells, title=title))
    click.echo(text, nl=False)
