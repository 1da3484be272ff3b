"""The run of an ablation: the data of each condition, then each model trained and scored on it."""

from collections.abc import Iterator, Mapping, Sequence

import click

from baselines.ablation.cells import Cell, Gap, compared, ordered
from baselines.ablation.conditions import CONDITIONS, Absent
from baselines.ablation.prepared import Prepared, Source, prepare
from baselines.table.rows import Row
from baselines.trials.trial import Bench, enter, score, train
from harness.errors import RostrumError


def conditions(
    names: Sequence[str], source: Source, *, bench: Bench
) -> tuple[dict[str, Prepared], list[Gap]]:
    """The data of these conditions, in the order of all; and those that cannot be made."""
    present: dict[str, Prepared] = {}
    gaps: list[Gap] = []
    for name in (known for known in CONDITIONS if known in names):
        made = prepare(name, source, to=bench.place.folder / "data" / name)
        if isinstance(made, Absent):
            click.echo(f"left out: persona {name}, {made.reason}", err=True)
            gaps.append(Gap(None, name, made.reason))
        else:
            present[name] = made
    return present, gaps


def study(
    models: Sequence[Row], data: Mapping[str, Prepared], *, bench: Bench
) -> tuple[list[Cell], list[Gap]]:
    """Every model under every condition, compared and in order; and what failed."""
    cells: list[Cell] = []
    gaps: list[Gap] = []
    wanted = [(row, persona) for row in models for persona in data]
    for number, (row, persona) in enumerate(wanted, 1):
        click.echo(f"[{number} of {len(wanted)}] {row.name}, persona {persona}", err=True)
        try:
            cells += _cells(row, persona, data[persona], bench=bench)
        except RostrumError as error:
            gaps.append(Gap(row.name, persona, error.message))
    return ordered(compared(cells), models=[row.name for row in models]), gaps


def _cells(row: Row, persona: str, data: Prepared, *, bench: Bench) -> Iterator[Cell]:
    """One training, scored with lists of every length."""
    folder = bench.place.folder / row.name / persona
    trained = train(folder, row.recipe, data=data.folder, bench=bench)
    entry = enter(folder, trained, changes=row.changes)
    for count, test in data.tests.items():
        report = score(entry, "hits", data=test, out=folder / f"hits_{count}.json", bench=bench)
        yield Cell(
            model=row.name,
            persona=persona,
            candidates=count,
            report=report,
            trained=trained.seconds,
        )
