"""How well the personas of a set are told from the replies that were given in it."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.detection import MEASURES
from harness.metrics.lineups import Crowd, Lineups, Standing
from harness.metrics.persona import OTHERS, Persona, Weights, Worth, canonical, likeness, worth
from harness.report import Measure
from harness.statistics import Rows, estimates

_TRIES = 50
"""Talks that are drawn for one lineup, at most, until one tells nobody in it."""


class Looked(NamedTuple):
    """One dialogue whose persona was looked for; `number` is its place in the file, from 1.

    `best` is the persona that was told best, as it is written: the true one's if that is first.
    """

    number: int
    dialogue: Dialogue
    standing: Standing
    best: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What was found: `measures` of the replies given, and `control`, where talks are exchanged.

    `personas` counts those that differ, `groups` what is left of them where all that share a
    sentence, directly or by others, are one. With fewer groups than `among`, who stand in a lineup,
    some in it are wordings of each other, and who tells of anybody at all does better than chance.
    For the `control` each lineup is looked at by the talk of another dialogue, whose persona is a
    twin of nobody's in it: chance, as nobody's persona is told. None where there is no such talk.
    """

    dialogues: int
    personas: int
    groups: int
    among: int
    measures: tuple[Measure, ...]
    control: Measure | None
    looked: tuple[Looked, ...]

    @property
    def chance(self) -> float:
        """persona@1 of one who guesses."""
        return 1 / self.among

    def hardest(self, count: int) -> list[Looked]:
        """The dialogues whose persona is not told, that which stands furthest down first.

        Of those that are alike the longer ones come first.
        """
        missed = [one for one in self.looked if one.standing.worth.first < 1]
        return sorted(
            missed,
            key=lambda one: (one.standing.worth.reciprocal, -len(one.dialogue.examples)),
        )[:count]


def told(dialogues: Iterable[Dialogue], *, others: int = OTHERS, seed: int = 0) -> Told:
    """Look for the persona of each dialogue among `others` that `seed` draws.

    `UsageError` where the set has no personas, or too few that share no sentence.
    """
    every = list(dialogues)
    crowd = Crowd.of(every)
    looked = tuple(_looked(every, Lineups(crowd, others=others, seed=seed)))
    if not looked:
        raise _nothing_to_look_for(len(crowd.personas), others=others)
    exchanged = _exchanged(looked, crowd.weights, seed=seed)
    return Told(
        dialogues=len(every),
        personas=len(crowd.personas),
        groups=_groups(crowd.personas),
        among=others + 1,
        measures=_measures([one.standing.worth for one in looked], seed=seed),
        control=_measures(exchanged, seed=seed)[0] if exchanged else None,
        looked=looked,
    )


def _looked(dialogues: Sequence[Dialogue], lineups: Lineups) -> Iterator[Looked]:
    written = {canonical(one.persona): one.persona for one in dialogues}
    for number, one in enumerate(dialogues, 1):
        standing = lineups.stand(_said(one), persona=one.persona, name=one.id)
        if standing is not None:
            yield Looked(number, one, standing, best=written[standing.best])


def _groups(personas: Iterable[Persona]) -> int:
    """How many personas there are if those that share a sentence are one."""
    leader: dict[str, str] = {}

    def find(sentence: str) -> str:
        while (above := leader.setdefault(sentence, sentence)) != sentence:
            leader[sentence] = sentence = leader[above]
        return sentence

    for first, *others in personas:
        one = find(first)
        for sentence in others:
            leader[find(sentence)] = one
    return sum(sentence == above for sentence, above in leader.items())


def _said(dialogue: Dialogue) -> list[str]:
    return [example.replies[0] for example in dialogue.examples]


def _exchanged(looked: Sequence[Looked], weights: Weights, *, seed: int) -> list[Worth]:
    """Each lineup by the talk of another dialogue, drawn anew while that tells somebody in it."""
    rng = random.Random(f"rostrum-exchanged:{seed}")  # noqa: S311  (not a secret)
    exchanged = []
    for one in looked:
        personas = one.standing.personas
        present = {sentence for persona in personas for sentence in persona}
        drawn = (rng.choice(looked).dialogue for _ in range(_TRIES))
        strange = (it for it in drawn if present.isdisjoint(canonical(it.persona)))
        if (talk := next(strange, None)) is not None:
            exchanged.append(worth(likeness(_said(talk), personas, weights=weights)))
    return exchanged


def _measures(found: Sequence[Worth], *, seed: int) -> tuple[Measure, ...]:
    rows = [
        Rows(CATALOGUE[name], np.array([(value, 1.0) for value in values]))
        for name, values in zip(MEASURES, zip(*found, strict=True), strict=True)
    ]
    return estimates(rows, n=len(found), seed=seed)


def _nothing_to_look_for(personas: int, *, others: int) -> UsageError:
    if not personas:
        return UsageError(
            "the dialogues have no personas; name a file that has those of the answering side "
            "(in ConvAI2's variants self or both)"
        )
    return UsageError(
        f"no persona has {others} others beside it that share no sentence with it; the file has "
        f"{personas} that differ; give a smaller --others"
    )
