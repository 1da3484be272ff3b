"""Shards of one run become its report, measures and intervals included."""

from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.merge import merge
from harness.metrics.catalogue import CATALOGUE
from harness.report import Report, Sidecar, Total
from harness.statistics import Rows, estimates, score

TOTALS = ((1.0, 4.0), (2.0, 3.0), (0.0, 5.0), (3.0, 3.0), (1.0, 2.0))


def run(rows: tuple[tuple[float, float], ...], *, seed: int = 0) -> Report:
    """What `evaluate` makes of these totals: hits@1, and the same again as hits@3."""
    import numpy as np

    totals, n = tuple(Total(*row) for row in rows), int(sum(row[1] for row in rows))
    found = estimates([Rows(CATALOGUE["hits@3"], np.array(rows))], n=n, seed=seed)
    return Report(
        track="hits",
        score=score("hits", totals, examples=n, seed=seed),
        signature="track:hits",
        totals=totals,
        seconds=1.0,
        measures=tuple(replace(measure, signature="made so") for measure in found),
        sidecar=Sidecar("x.jsonl", "0" * 64, n),
    )


def test_shards_together_are_the_run() -> None:
    whole = run(TOTALS)
    merged = merge([run(TOTALS[:2]), run(TOTALS[2:4]), run(TOTALS[4:])])

    assert merged == replace(whole, seconds=3.0, sidecar=None)
    assert merged.measures[0].signature == "made so"


def test_one_shard_is_the_run() -> None:
    assert merge([run(TOTALS)]) == run(TOTALS)


def test_a_measure_that_does_not_add_up_or_is_missing_is_left_out() -> None:
    first, second = run(TOTALS[:2]), run(TOTALS[2:])
    distinct = replace(first.measures[0], name="distinct-1", totals=())

    both = [replace(shard, measures=(distinct, *shard.measures)) for shard in (first, second)]
    assert [measure.name for measure in merge(both).measures] == ["hits@3"]
    assert merge([first, replace(second, measures=())]).measures == ()


def test_words_are_summed() -> None:
    shards = [replace(run(rows), tokens=3, unknown=1) for rows in (TOTALS[:2], TOTALS[2:])]

    assert (merge(shards).tokens, merge(shards).unknown) == (6, 2)


@pytest.mark.parametrize(
    "change", [{"signature": "other"}, {"sandbox": "docker"}, {"vocabulary": 5}, {"track": "f1"}]
)
def test_reports_of_different_runs_are_not_merged(change: dict[str, object]) -> None:
    other = replace(run(TOTALS[2:]), **change)  # type: ignore[arg-type]  # one field each

    with pytest.raises(UsageError, match=f"differ in {next(iter(change))}"):
        merge([run(TOTALS[:2]), other])
