"""The measures of one run from those of its shards: their totals together, intervals drawn anew."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.errors import UsageError
from harness.metrics.catalogue import CATALOGUE
from harness.report import Measure
from harness.statistics import estimate

_REFERENCES = re.compile(r"\bnrefs:\w+")
"""Where sacrebleu's signature says how many replies each answer was held to."""


def merge_measures(shards: Sequence[Sequence[Measure]], *, seed: int = 0) -> tuple[Measure, ...]:
    """The measures that every shard holds with totals, as if the dialogues had been one set.

    In the order of the first shard; `seed` draws the intervals. A measure that does not add up
    (distinct-n), or that some shard lacks, is left out: its figure for the whole cannot be had
    from parts. The measures of a single shard are its own. `UsageError` where shards made one in
    different ways, or totals are damaged.
    """
    if len(shards) == 1:
        return tuple(shards[0])
    by_name = [{measure.name: measure for measure in shard} for shard in shards]
    shared = [name for name in (by_name[0] if shards else ()) if all(name in s for s in by_name)]
    merged = (_merged([shard[name] for shard in by_name], seed=seed) for name in shared)
    return tuple(measure for measure in merged if measure is not None)


def _merged(parts: Sequence[Measure], *, seed: int) -> Measure | None:
    metric = CATALOGUE.get(parts[0].name)
    if metric is None or metric.score is None or not all(part.totals for part in parts):
        return None
    rows = [row for part in parts for row in part.totals]
    if any(len(row) != len(metric.columns) for row in rows):
        raise UsageError(f"the report is damaged: totals of {metric.name}", code="bad_report")
    examples = sum(part.n for part in parts)
    measure = estimate(metric, np.array(rows, dtype=np.float64), n=examples, seed=seed)
    return measure and replace(measure, signature=_signature(parts))


def _signature(parts: Sequence[Measure]) -> str | None:
    """The shards' signature; where only the number of replies differs, it varies in the whole."""
    found = list(dict.fromkeys(part.signature for part in parts))
    if len(found) == 1:
        return found[0]
    several = {_REFERENCES.sub("nrefs:var", signature or "") for signature in found}
    if len(several) == 1:
        return several.pop()
    raise UsageError(
        f"shards made {parts[0].name} in different ways: {' and '.join(map(str, found))}"
    )
