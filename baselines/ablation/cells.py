"""The cells of an ablation: a model trained and tested under one condition, among N candidates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from baselines.ablation.conditions import CONDITIONS
from harness.comparison import Difference, compare
from harness.rendering import figures
from harness.report import Measure, Report

AGAINST = "none"
"""The condition that the others are compared with."""

MEASURES = ("hits@1", "hits@3", "hits@10", "mrr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One result. `trained` are the seconds of the training, None where nobody knows.

    `gain` is hits@1 less that of the same model without any persona, over the same talks and
    candidates; None for that one itself, or where it is not there.
    """

    model: str
    persona: str
    candidates: int
    report: Report
    trained: float | None
    gain: Difference | None = None

    @property
    def measures(self) -> dict[str, Measure]:
        """Those of `MEASURES`, by name; hits@k for k candidates or more says nothing."""
        known = [figures.headline(self.report), *self.report.measures]
        return {one.name: one for one in known if one.name in MEASURES}


@dataclass(frozen=True, slots=True)
class Gap:
    """A result that is not there, and why; `model` is None where no model has it."""

    model: str | None
    persona: str
    reason: str


def ordered(cells: Iterable[Cell], *, models: Sequence[str]) -> list[Cell]:
    """By length of the lists, then model, then condition."""

    def place(cell: Cell) -> tuple[int, int, int]:
        return cell.candidates, models.index(cell.model), CONDITIONS.index(cell.persona)

    return sorted(cells, key=place)


def compared(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with what each gains over the same model without persona."""
    bare = {(one.model, one.candidates): one for one in cells if one.persona == AGAINST}
    return [_compared(one, bare.get((one.model, one.candidates))) for one in cells]


def _compared(cell: Cell, bare: Cell | None) -> Cell:
    if bare is None or cell.persona == AGAINST:
        return cell
    # The signatures differ in the hash of the data, which has the personas in it. Talks, replies
    # and lists are the same by construction, so the dialogues stand side by side.
    like = replace(cell.report, signature=bare.report.signature)
    return replace(cell, gain=compare(like, bare.report))
