"""Detection over a set: whose persona each side has and what it said, gathered as answers come."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from harness.dialogue import Dialogue
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.lineups import Crowd, Lineups
from harness.metrics.persona import COLUMNS, OTHERS, Worth
from harness.statistics import Rows

MEASURES = ("persona@1", "persona_mrr")
"""What `rows` holds, in the order of `Worth`."""


class Speech(NamedTuple):
    """What one side of one dialogue said."""

    name: str
    persona: tuple[str, ...]
    said: list[str]


class Detection:
    """The speeches of a set; `place` is a dialogue's number in it, from 0.

    Whom a persona is told from is known when the last dialogue has come by, unless a `crowd` is
    given: that of the whole set, where only a shard of it comes by here.
    """

    def __init__(self, crowd: Crowd | None = None) -> None:
        self._crowd = Crowd() if crowd is None else crowd
        self._gathers = crowd is None
        self._speeches: dict[int, Speech] = {}

    def add(self, place: int, reply: str, *, dialogue: Dialogue) -> None:
        """Take in one reply of the side to predict."""
        speech = self._speeches.get(place)
        if speech is None:
            speech = self._speeches[place] = Speech(dialogue.id, dialogue.persona, [])
            if self._gathers:
                self._crowd.add(dialogue)
        speech.said.append(reply)

    def found(self) -> Iterator[tuple[int, Worth]]:
        """What each dialogue with a lineup is worth, by its place."""
        lineups = Lineups(self._crowd, others=OTHERS)
        for place, (name, persona, said) in self._speeches.items():
            standing = lineups.stand(said, persona=persona, name=name)
            if standing is not None:
                yield place, standing.worth

    def rows(self, count: int) -> list[Rows]:
        """What each of `count` dialogues adds to the measures."""
        tables = [np.zeros((count, len(COLUMNS))) for _ in MEASURES]
        for place, found in self.found():
            for table, value in zip(tables, found, strict=True):
                table[place] = value, 1.0
        return [Rows(CATALOGUE[name], table) for name, table in zip(MEASURES, tables, strict=True)]
