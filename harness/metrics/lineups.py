"""Lineups: the personas of a set that stand beside a true one, drawn by a seed, no twin of it.

Personas are twins where they share a sentence after normalisation: such sets give the persona of
one dialogue in several wordings, and whoever is taken for a twin is told. Nor are the others twins
of each other, as far as the set allows: two wordings of one persona are harder to be preferred to
than one and easier than two personas. What is drawn hangs on the personas of the set, the seed and
the name of the dialogue, on no order.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.dialogue import Dialogue
from harness.metrics.persona import OTHERS, Persona, Weights, Worth, canonical, likeness, worth

_DRAWN = 5
"""How many times as many as are needed are drawn, in search of such as are no twins."""


class Crowd:
    """The different personas of a set, and how telling its words are, as dialogues come by.

    The words are those of each dialogue's persona sentences and of the replies that were given in
    it: never an agent's, so all runs over a set have the same crowd.
    """

    def __init__(self) -> None:
        self.personas: set[Persona] = set()
        self.weights = Weights()

    @classmethod
    def of(cls, dialogues: Iterable[Dialogue]) -> "Crowd":
        """The crowd of these dialogues."""
        crowd = cls()
        for dialogue in dialogues:
            crowd.add(dialogue)
        return crowd

    def add(self, dialogue: Dialogue) -> None:
        """Take in one dialogue."""
        persona = canonical(dialogue.persona)
        if persona and persona not in self.personas:
            self.personas.add(persona)
            for sentence in persona:
                self.weights.add(sentence)
        for example in dialogue.examples:
            self.weights.add(example.replies[0])


class Standing(NamedTuple):
    """A lineup that was looked at: the true persona first, and how far each was told."""

    personas: tuple[Persona, ...]
    likeness: NDArray[np.float64]

    @property
    def worth(self) -> Worth:
        """What it is worth."""
        return worth(self.likeness)

    @property
    def rank(self) -> int:
        """The true persona's place, from 1, before others that are told as well."""
        return 1 + int(np.count_nonzero(self.likeness > self.likeness[0]))

    @property
    def best(self) -> Persona:
        """The persona that is told best, the true one before others as well told."""
        return self.personas[int(np.argmax(self.likeness))]


class Lineups:
    """The lineups of one crowd: `others` drawn by `seed` beside each true persona."""

    def __init__(self, crowd: Crowd, *, others: int = OTHERS, seed: int = 0) -> None:
        self._weights = crowd.weights
        self._personas = sorted(crowd.personas)
        self._others = others
        self._seed = seed
        self._holders: dict[str, list[int]] = defaultdict(list)
        for place, persona in enumerate(self._personas):
            for sentence in persona:
                self._holders[sentence].append(place)

    def others(self, persona: Iterable[str], *, name: str) -> tuple[Persona, ...] | None:
        """Who stands beside this persona in the dialogue of this name; None if too few can.

        The persona itself need not be one of the crowd.
        """
        true = canonical(persona)
        twins = sorted({place for sentence in true for place in self._holders.get(sentence, ())})
        free = len(self._personas) - len(twins)
        if free < self._others:
            return None
        rng = random.Random(f"rostrum-lineup:{self._seed}:{name}")  # noqa: S311  (not a secret)
        passed = [place - number for number, place in enumerate(twins)]
        drawn = rng.sample(range(free), min(free, _DRAWN * self._others))
        strangers = [self._personas[n + bisect_right(passed, n)] for n in drawn]  # n of the free
        return _apart_first(strangers)[: self._others]

    def stand(self, said: Sequence[str], *, persona: Iterable[str], name: str) -> Standing | None:
        """The lineup of a dialogue, looked at by what its side said; None where there is none.

        That is where the side has no persona, or too few others can stand beside it.
        """
        true = canonical(persona)
        others = self.others(true, name=name) if true else None
        if others is None:
            return None
        personas = (true, *others)
        return Standing(personas, likeness(said, personas, weights=self._weights))


def _apart_first(personas: Iterable[Persona]) -> tuple[Persona, ...]:
    """Those that are twins of none before them, then the others; either in their order."""
    apart: list[Persona] = []
    twins: list[Persona] = []
    seen: set[str] = set()
    for persona in personas:
        (apart if seen.isdisjoint(persona) else twins).append(persona)
        seen.update(persona)
    return (*apart, *twins)


def signature(*, others: int = OTHERS, seed: int = 0) -> str:
    """How persona measures were made; equal ones over one set can be compared."""
    return f"rule:persona1|among:{others + 1}|seed:{seed}"
