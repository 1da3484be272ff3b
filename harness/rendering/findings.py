"""What the per-example records of a run tell: its turns, its hardest examples, its words."""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np

from harness.agent import Track
from harness.errors import UsageError
from harness.metrics.catalogue import MAIN
from harness.records import Record, beside_report, read
from harness.report import Measure, Report
from harness.statistics import Rows, estimates, wilson

MAX_TURNS = 200
"""Turns whose figures are kept; the examples of later ones are counted alone."""

MAX_DISTINCT = 200_000
"""Different words that are counted; those first met later are left out."""

WORDS_SHOWN = 12

FEW = 5
"""A turn that fewer dialogues reach is in tables, not in drawings."""

WITHOUT = (
    "This report has no per-example records, so there are no figures turn by turn and no examples: "
    "records are kept on public data alone."
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One place in the dialogues, from 1: the track's score over the examples that stand there.

    `measure.n` counts dialogues, each of which has one example here.
    """

    number: int
    measure: Measure


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the replies that were given: how often it was scored, what it cost in nats."""

    word: str
    times: int
    nats: float

    @property
    def mean(self) -> float:
        """Nats each time."""
        return self.nats / self.times if self.times else 0.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What the records say; `later` counts the examples after `MAX_TURNS`.

    ppl alone: `surprising` are the words of the highest mean loss, `costly` those of the highest
    sum, `outside` those that the dictionary lacks (their `nats` are 0).
    """

    records: int
    turns: tuple[Turn, ...]
    later: int
    hardest: tuple[Record, ...]
    surprising: tuple[Word, ...] = ()
    costly: tuple[Word, ...] = ()
    outside: tuple[Word, ...] = ()


def findings(report: Report, path: Path | str, *, keep: int, seed: int = 0) -> Findings | str:
    """What the records beside the report tell, or the sentence that says why there is nothing."""
    if report.sidecar is None:
        return WITHOUT
    try:
        records = read(beside_report(path, report.sidecar))
        return gathered(records, report.track, keep=keep, seed=seed)
    except UsageError as error:
        return (
            f"The per-example records are left out: {error.message}. Figures turn by turn and "
            "examples need them."
        )


def gathered(records: Iterable[Record], track: Track, *, keep: int, seed: int = 0) -> Findings:
    """The findings of a stream of records; memory is bounded but for the turns' totals."""
    turns: dict[int, list[tuple[float, float]]] = {}
    hardest: list[tuple[tuple[float, ...], int, Record]] = []
    words, outside = _Words(), _Words()
    later, total, hardness = 0, 0, _HARDNESS[track]
    for total, record in zip(count(1), records, strict=False):
        if record.example < MAX_TURNS:
            turns.setdefault(record.example, []).append((record.value, record.weight))
        else:
            later += 1
        if record.weight > 0:
            entry = (hardness(record), -total, record)
            (heapq.heappush if len(hardest) < keep else heapq.heappushpop)(hardest, entry)
        for word, loss in record.words or ():
            (outside if loss is None else words).add(word, loss or 0.0)
    return Findings(
        records=total,
        turns=_turns(turns, track, seed=seed),
        later=later,
        hardest=tuple(record for _, _, record in sorted(hardest, reverse=True))[:keep],
        surprising=words.most(lambda word: (word.mean, word.times)),
        costly=words.most(lambda word: (word.nats, word.times)),
        outside=outside.most(lambda word: (float(word.times), 0)),
    )


def drawn_turns(turns: Sequence[Turn], *, at_most: int) -> Sequence[Turn]:
    """The turns that are drawn: the first of them, as far as `FEW` dialogues reach, if any do."""
    return [turn for turn in turns if turn.measure.n >= FEW][:at_most] or turns[:at_most]


class _Words:
    """Counts words and their losses."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = {}

    def add(self, word: str, loss: float) -> None:
        row = self._seen.get(word)
        if row is None:
            if len(self._seen) >= MAX_DISTINCT:
                return
            row = self._seen[word] = [0.0, 0.0]
        row[0] += 1
        row[1] += loss

    def most(self, key: Callable[[Word], tuple[float, int]]) -> tuple[Word, ...]:
        words = (Word(word, int(times), nats) for word, (times, nats) in self._seen.items())
        return tuple(heapq.nlargest(WORDS_SHOWN, words, key=key))


def _turns(
    totals: Mapping[int, list[tuple[float, float]]], track: Track, *, seed: int
) -> tuple[Turn, ...]:
    """One example of a dialogue stands in a turn, so what is resampled is independent."""
    found = []
    for example, rows in sorted(totals.items()):
        table = np.array(rows, dtype=np.float64)
        for measure in estimates([Rows(MAIN[track], table)], n=len(rows), seed=seed):
            found.append(Turn(example + 1, _bounded(measure, rows, track)))
    return tuple(found)


def _bounded(measure: Measure, rows: Sequence[tuple[float, float]], track: Track) -> Measure:
    """One dialogue has no interval; a share of few gets Wilson's, which is never without width."""
    if len(rows) == 1:
        return replace(measure, low=None, high=None)
    if track == "hits" and {weight for _, weight in rows} == {1.0}:
        low, high = wilson(round(sum(value for value, _ in rows)), len(rows))
        return replace(measure, low=low, high=high)
    return measure


def _hard_by_rank(record: Record) -> tuple[float, ...]:
    """The further down the reply was put, the harder; not among the candidates is hardest."""
    return (math.inf if record.rank is None else record.rank, len(record.given))


def _hard_by_overlap(record: Record) -> tuple[float, ...]:
    """The lower F1, the harder; of those that share nothing, the longer reply."""
    return (-record.value, len(record.given))


def _hard_by_loss(record: Record) -> tuple[float, ...]:
    """The more nats a word, the harder."""
    return (record.value / record.weight, record.weight)


_HARDNESS: Mapping[Track, Callable[[Record], tuple[float, ...]]] = {
    "hits": _hard_by_rank,
    "f1": _hard_by_overlap,
    "ppl": _hard_by_loss,
}
