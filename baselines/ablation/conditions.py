"""The persona that an agent is shown, condition by condition, over the same talks.

none: nothing. self: its own, as the set has it. revised: its own, rephrased so that words do not
overlap (Zhang et al. 2018). other: its partner's. random: as many sentences as it has, drawn from
other people's. The sentences always stand where the own persona does, so that every model reads
them alike; talks, replies and candidates stay the same, so results can be compared pair by pair.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data import load
from harness.data.convai2 import file_name
from harness.data.twins import sides, twins
from harness.dialogue import Dialogue

CONDITIONS = ("none", "self", "revised", "other", "random")

Persona = tuple[str, ...]
Talk = tuple[tuple[tuple[str, ...], str], ...]
"""What was heard and said, by which two files' dialogues are known to be one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Dialogues with a condition's personas; `known` of them have one, the others have none."""

    dialogues: tuple[Dialogue, ...]
    known: int


@dataclass(frozen=True, slots=True)
class Absent:
    """Why a condition cannot be made from a folder of data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """One split's dialogues, and the folder in which its other variants would lie."""

    name: str
    dialogues: tuple[Dialogue, ...]
    folder: Path
    seed: int = 0


def shown(condition: str, split: Split) -> Shown | Absent:
    """The dialogues of a split as this condition shows them."""
    return _MAKERS[condition](split)


def _none(split: Split) -> Shown:
    return Shown(tuple(_with(one, ()) for one in split.dialogues), len(split.dialogues))


def _self(split: Split) -> Shown:
    own = tuple(_with(one, one.persona) for one in split.dialogues)
    return Shown(own, sum(bool(one.persona) for one in own))


def _revised(split: Split) -> Shown | Absent:
    file = file_name(split=split.name, revision="revised")
    if not (split.folder / file).is_file():
        return Absent(f"it needs {file}, which the data folder does not have")
    found = {_talk(one): one.persona for one in load(split.folder / file)}
    return _looked_up(split, found, missing=f"{file} holds none of the {split.name} file's talks")


def _other(split: Split) -> Shown | Absent:
    """The partner's persona, from the variants that show it, else from the talk's other side."""
    names = [file_name(split=split.name, persona=persona) for persona in ("other", "both")]
    present = next((name for name in names if (split.folder / name).is_file()), None)
    if present is None:
        missing = (
            f"the {split.name} file shows no talk from both sides; {' or '.join(names)} would do"
        )
        return _looked_up(split, _of_twins(split), missing=missing)
    found = {_talk(one): one.partner_persona for one in load(split.folder / present)}
    missing = f"{present} holds none of the {split.name} file's talks"
    return _looked_up(split, found, missing=missing)


def _random(split: Split) -> Shown | Absent:
    """Sentences of all, drawn without one's own; one seed, one persona for a place in the file."""
    everything = sorted({text for one in split.dialogues for text in one.persona})
    made = []
    for place, one in enumerate(split.dialogues):
        others = [text for text in everything if text not in one.persona]
        if len(others) < len(one.persona):
            return Absent(f"the {split.name} file has too few different persona sentences")
        rng = random.Random(f"rostrum-ablation:{split.name}:{split.seed}:{place}")  # noqa: S311  no secret
        made.append(_with(one, tuple(rng.sample(others, len(one.persona)))))
    return Shown(tuple(made), sum(bool(one.persona) for one in made))


_MAKERS: Mapping[str, Callable[[Split], Shown | Absent]] = {
    "none": _none,
    "self": _self,
    "revised": _revised,
    "other": _other,
    "random": _random,
}


def _looked_up(split: Split, found: Mapping[Talk, Persona], *, missing: str) -> Shown | Absent:
    """The dialogues with the personas found for their talks; `missing` where there is none."""
    made = tuple(_with(one, found.get(_talk(one), ())) for one in split.dialogues)
    known = sum(bool(one.persona) for one in made)
    return Shown(made, known) if known else Absent(missing)


def _of_twins(split: Split) -> dict[Talk, Persona]:
    """The partners' personas as far as the file, or that without candidates, has both sides."""
    dialogues: Sequence[Dialogue] = split.dialogues
    wider = split.folder / file_name(split=split.name, candidates=False)
    if wider.is_file():
        dialogues = [*dialogues, *load(wider)]
    met = twins([sides(one) for one in dialogues])
    return {
        _talk(one): one.partner_persona or dialogues[min(places)].persona
        for one, places in zip(dialogues, met, strict=True)
        if one.partner_persona or places
    }


def _with(dialogue: Dialogue, persona: Persona) -> Dialogue:
    return replace(dialogue, persona=persona, partner_persona=())


def _talk(dialogue: Dialogue) -> Talk:
    return tuple((example.partner, example.replies[0]) for example in dialogue.examples)
