"""The profile of an agent's answers: BLEU, chrF, distinct-n, length, persona; they rank nobody."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.dialogue import Dialogue
from harness.metrics import bleu, chrf, detection, length, lineups
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.detection import Detection
from harness.metrics.distinct import Distinct
from harness.metrics.lineups import Crowd
from harness.report import Measure
from harness.statistics import Rows

_COLUMNS = {
    "length": slice(0, 2),
    "bleu": slice(2, 2 + len(bleu.COLUMNS)),
    "chrf": slice(2 + len(bleu.COLUMNS), 2 + len(bleu.COLUMNS) + len(chrf.COLUMNS)),
}
_WIDTH = 2 + len(bleu.COLUMNS) + len(chrf.COLUMNS)


class Profile:
    """Gathers the statistics of answers, dialogue by dialogue; `crowd` as `Detection` has it."""

    def __init__(self, crowd: Crowd | None = None) -> None:
        self._sums: dict[int, list[float]] = {}
        self._distinct = Distinct()
        self._detection = Detection(crowd)
        self._references: set[int] = set()

    def add(
        self, place: int, reply: str, *, replies: Sequence[str], dialogue: Dialogue | None = None
    ) -> None:
        """Take in one answer of the dialogue at `place` and the replies it is held to.

        Without the `dialogue` nobody's persona is looked for.
        """
        gained = (
            length.measure(reply),
            1.0,
            *bleu.measure(reply, replies=replies),
            *chrf.measure(reply, replies=replies),
        )
        sums = self._sums.get(place, [0.0] * _WIDTH)
        self._sums[place] = [old + new for old, new in zip(sums, gained, strict=True)]
        self._distinct.add(reply)
        if dialogue is not None:
            self._detection.add(place, reply, dialogue=dialogue)
        self._references.add(len(replies))

    def rows(self, count: int) -> list[Rows]:
        """What each of `count` dialogues adds to the measures that add up."""
        table = np.zeros((count, _WIDTH))
        for place, sums in self._sums.items():
            table[place] = sums
        rows = [Rows(CATALOGUE[name], table[:, columns]) for name, columns in _COLUMNS.items()]
        return rows + self._detection.rows(count)

    def completed(self, measures: Sequence[Measure], *, n: int) -> tuple[Measure, ...]:
        """The measures with their signatures, and those that do not add up."""
        return (*map(self._signed, measures), *self._without_totals(n))

    def _signed(self, measure: Measure) -> Measure:
        """The measure as it was made: sacrebleu's with its rules, personas among how many."""
        references = next(iter(self._references)) if len(self._references) == 1 else None
        if measure.name == "bleu":
            return replace(measure, signature=bleu.signature(references))
        if measure.name == "chrf":
            return replace(measure, signature=chrf.signature(references))
        if measure.name in detection.MEASURES:
            counted = int(sum(weight for _, weight in measure.totals))
            return replace(measure, n=counted, signature=lineups.signature())
        return measure

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
