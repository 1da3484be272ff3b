"""Adds up what the examples of a set gain, dialogue by dialogue, into totals and measures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.dialogue import Dialogue, Example
from harness.metrics import hits, mean
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.gain import Gain
from harness.metrics.lineups import Crowd
from harness.metrics.profile import Profile
from harness.report import Measure, Total
from harness.statistics import Rows, estimates

__all__ = ["FURTHER", "Gain", "Tally"]

FURTHER: Mapping[Track, tuple[str, ...]] = {
    "hits": (*(f"hits@{k}" for k in hits.FURTHER_AT), "mrr"),
    "f1": ("precision", "recall"),
    "ppl": (),
}
"""What stands in `Gain.more`, track by track."""

_VALUE, _WEIGHT, _MORE = 0, 1, 2


class Tally:
    """The sums of one track; `place` is a dialogue's number in the set, from 0.

    With `profile`, f1 also gathers BLEU, chrF, distinct-1, distinct-2, length and the persona
    measures, which needs `Gain.reply` and about 0.3 ms an example; a `crowd` is that of the whole
    set where only a shard of it is tallied. Gains of one dialogue must come in the order of its
    examples for the last bit of a sum to be the same; dialogues may come in any order.
    """

    def __init__(self, track: Track, *, profile: bool = False, crowd: Crowd | None = None) -> None:
        self.track: Track = track
        self.words = 0
        """Scored words so far (ppl), else examples."""
        self.skipped = 0
        """Words outside the dictionary so far (ppl)."""
        self._names = FURTHER[track]
        self._sums: dict[int, list[float]] = {}
        self._profile = Profile(crowd) if profile and track == "f1" else None

    def add(
        self, place: int, gain: Gain, *, example: Example, dialogue: Dialogue | None = None
    ) -> None:
        """Take in one example of the dialogue at `place`, which a profile of personas needs."""
        sums = self._sums.get(place)
        if sums is None:
            sums = self._sums[place] = [0.0] * (_MORE + len(self._names))
        sums[_VALUE] += gain.value
        sums[_WEIGHT] += gain.weight
        for column, value in enumerate(gain.more, _MORE):
            sums[column] += value
        self.words += int(gain.weight)
        self.skipped += gain.skipped
        if self._profile is not None:
            if gain.reply is None:
                raise ValueError("a profile needs the reply of every gain")
            self._profile.add(place, gain.reply, replies=example.replies, dialogue=dialogue)

    def totals(self, count: int) -> tuple[Total, ...]:
        """The totals of the main score, for each of `count` dialogues; nothing gained is 0, 0."""
        sums = self._sums
        return tuple(
            Total(sums[place][_VALUE], sums[place][_WEIGHT]) if place in sums else Total(0.0, 0.0)
            for place in range(count)
        )

    def measures(self, *, count: int, examples: int, seed: int) -> tuple[Measure, ...]:
        """All but the main score, each with its interval over `count` dialogues.

        `examples` is what each says it was made from; `seed` draws the intervals. A measure that
        nothing was gained for is left out.
        """
        rows = self._further(count)
        profile = self._profile
        if profile is not None:
            rows += profile.rows(count)
        found = estimates(rows, n=examples, seed=seed)
        return found if profile is None else profile.completed(found, n=examples)

    def _further(self, count: int) -> list[Rows]:
        table = np.zeros((count, _MORE + len(self._names)))
        for place, sums in self._sums.items():
            table[place] = sums
        return [
            Rows(CATALOGUE[name], _mean_rows(table, column))
            for column, name in enumerate(self._names, _MORE)
        ]


def _mean_rows(table: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """What `mean.score` takes: a column of sums beside the examples."""
    rows = table[:, [column, _WEIGHT]]
    assert rows.shape[1] == len(mean.COLUMNS)
    return rows
