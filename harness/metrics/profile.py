"""The profile of an agent's answers: BLEU, chrF, distinct-n and length, which rank nobody."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.metrics import bleu, chrf, length
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.distinct import Distinct
from harness.report import Measure
from harness.statistics import Rows

_COLUMNS = {
    "length": slice(0, 2),
    "bleu": slice(2, 2 + len(bleu.COLUMNS)),
    "chrf": slice(2 + len(bleu.COLUMNS), 2 + len(bleu.COLUMNS) + len(chrf.COLUMNS)),
}
_WIDTH = 2 + len(bleu.COLUMNS) + len(chrf.COLUMNS)


class Profile:
    """Gathers the statistics of answers, dialogue by dialogue."""

    def __init__(self) -> None:
        self._sums: dict[int, list[float]] = {}
        self._distinct = Distinct()
        self._references: set[int] = set()

    def add(self, place: int, reply: str, *, replies: Sequence[str]) -> None:
        """Take in one answer of the dialogue at `place` and the replies it is held to."""
        gained = (
            length.measure(reply),
            1.0,
            *bleu.measure(reply, replies=replies),
            *chrf.measure(reply, replies=replies),
        )
        sums = self._sums.get(place, [0.0] * _WIDTH)
        self._sums[place] = [old + new for old, new in zip(sums, gained, strict=True)]
        self._distinct.add(reply)
        self._references.add(len(replies))

    def rows(self, count: int) -> list[Rows]:
        """What each of `count` dialogues adds to the measures that add up."""
        table = np.zeros((count, _WIDTH))
        for place, sums in self._sums.items():
            table[place] = sums
        return [Rows(CATALOGUE[name], table[:, columns]) for name, columns in _COLUMNS.items()]

    def completed(self, measures: Sequence[Measure], *, n: int) -> tuple[Measure, ...]:
        """The measures with sacrebleu's signatures, and those that do not add up."""
        references = next(iter(self._references)) if len(self._references) == 1 else None
        signed = {"bleu": bleu.signature, "chrf": chrf.signature}
        known = [
            replace(measure, signature=signed[measure.name](references))
            if measure.name in signed
            else measure
            for measure in measures
        ]
        return (*known, *self._without_totals(n))

    def _without_totals(self, n: int) -> list[Measure]:
        return [
            Measure(
                name=name,
                value=value,
                low=None,
                high=None,
                n=n,
                unit=CATALOGUE[name].unit,
                higher_is_better=CATALOGUE[name].higher_is_better,
            )
            for name, value in self._distinct.scores().items()
        ]
