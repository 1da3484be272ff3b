"""One report from the shards of one run: their totals together, the intervals drawn anew."""

import dataclasses
from collections.abc import Sequence

from harness.errors import UsageError
from harness.metrics.merging import merge_measures
from harness.report import Report
from harness.statistics import score


def merge(shards: Sequence[Report], *, seed: int = 0) -> Report:
    """The report of all dialogues of the shards, as if they had been asked together.

    Measures whose totals add up (all but distinct-n) are kept where every shard has them. Records
    stay with the shards: no sidecar. The shards must be of one track, signature, sandbox and
    dictionary, else `UsageError`.
    """
    first = shards[0]
    for other in shards[1:]:
        for name in ("track", "signature", "sandbox", "vocabulary"):
            if getattr(other, name) != getattr(first, name):
                raise UsageError(f"reports that differ in {name} are not shards of one run")
    if len(shards) == 1:
        return first
    totals = tuple(total for shard in shards for total in shard.totals)
    examples = sum(shard.score.n for shard in shards)
    return dataclasses.replace(
        first,
        score=score(first.track, totals, examples=examples, seed=seed),
        totals=totals,
        tokens=_sum([shard.tokens for shard in shards]),
        unknown=_sum([shard.unknown for shard in shards]),
        seconds=sum(shard.seconds for shard in shards),
        measures=merge_measures([shard.measures for shard in shards], seed=seed),
        sidecar=None,
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
