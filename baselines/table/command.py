"""`rostrum baselines`: train every baseline, score it on a test file, print one table."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from baselines.table import results
from baselines.table.page import Facts, page
from baselines.table.results import Result
from baselines.table.rows import ROWS, Row, chosen
from baselines.trials import process
from baselines.trials.options import shared
from baselines.trials.place import place
from baselines.trials.trial import Bench, Trained, enter, score, train
from harness.data.convai2 import file_name
from harness.errors import RostrumError, UsageError
from harness.files import write_whole
from harness.submission import entered

SCHEMA = 1
"""Of table.json."""

INTERRUPTED = 130

_NAMES = click.Choice([row.name for row in ROWS])


@click.command("baselines")
@shared
@click.option("--only", type=_NAMES, multiple=True, metavar="ROW", help="This row; repeatable.")
def baselines(
    data: Path,
    *,
    out: Path,
    only: tuple[str, ...],
    split: str,
    seed: int,
    threads: int,
    device: str,
    updates: int | None,
) -> None:
    """Train the baselines with their recipes, one after another, and print one table of figures.

    --out holds table.md and table.json at the end, and each row's checkpoint, submission folder
    and reports. After a stop the same command goes on; what was made from other data, code or
    options is made anew. The exit code is 1 where a row failed.
    """
    test = data / file_name(split=split)
    for needed in (data / file_name(split="train"), test):
        if not needed.is_file():
            raise UsageError(f"{needed} does not exist; --data names a folder that holds it")
    further = training_options(device=device, updates=updates)
    facts = Facts(
        data=data.resolve().name, split=split, seed=seed, threads=threads, further=further
    )
    with place(out) as here, process.ended_in_order():
        bench = Bench(place=here, seed=seed, threads=threads, further=further)
        try:
            made = list(run(chosen(only), data.resolve(), test=test.resolve(), bench=bench))
        except KeyboardInterrupt:
            click.echo(f"stopped; the same command goes on from {out}", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        text = page(made, facts)
        write_whole(out / "table.md", text.encode("utf-8"))
        write_whole(out / "table.json", _document(made, facts))
    click.echo(text, nl=False)
    if any(one.failed for one in made):
        raise click.exceptions.Exit(1)


def training_options(*, device: str, updates: int | None) -> tuple[str, ...]:
    """What differs from the recipes, as options of every training."""
    chosen_device = () if device == "auto" else ("--device", device)
    return chosen_device if updates is None else (*chosen_device, "--updates", str(updates))


def run(rows: Sequence[Row], data: Path, *, test: Path, bench: Bench) -> Iterator[Result]:
    """Each row's result, in their order; a row that fails says so and the others go on."""
    trained: dict[str, Trained] = {}
    for number, row in enumerate(rows, 1):
        click.echo(f"[{number} of {len(rows)}] {row.name}", err=True)
        try:
            if row.like is None:
                folder = bench.place.folder / row.name
                trained[row.name] = train(folder, row.recipe, data=data, bench=bench)
            known = trained.get(row.like or row.name)
            yield _missing(row) if known is None else _result(row, known, test=test, bench=bench)
        except RostrumError as error:
            yield Result(row=row, measures={}, failed=error.message)


def _result(row: Row, trained: Trained, *, test: Path, bench: Bench) -> Result:
    """Score a row on its tracks."""
    folder = bench.place.folder / row.name
    entry = enter(folder, trained, changes=row.changes)
    measures, signatures = {}, []
    for track in row.tracks or entered(entry.folder):
        out = folder / f"{track}.json"
        report = score(entry, track, data=test, out=out, bench=bench)
        measures.update(results.measured(report, path=out))
        signatures.append(report.signature)
    return Result(
        row=row,
        measures=measures,
        seconds=None if row.like else trained.seconds,
        trained=results.trained(trained.checkpoint),
        parameters=results.parameters(trained.checkpoint),
        size=results.size(trained.checkpoint),
        signatures=tuple(signatures),
    )


def _missing(row: Row) -> Result:
    return Result(row=row, measures={}, failed=f"there is no checkpoint of {row.like} to take")


def _document(made: Sequence[Result], facts: Facts) -> bytes:
    by_name = {one.row.name: one for one in made}
    document: dict[str, Any] = {  # Any: a JSON document
        "schema": SCHEMA,
        "data": facts.data,
        "split": facts.split,
        "seed": facts.seed,
        "threads": facts.threads,
        "further": list(facts.further),
        "rows": [results.as_json(one, by_name) for one in made],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
