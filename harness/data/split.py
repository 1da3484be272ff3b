"""Train, valid and test from one set, so that no split knows what is asked in another.

What must stay together is a group: twins, copies of one talk, and, by persona, all dialogues whose
answering sides share a persona sentence after normalisation, and theirs in turn. Groups are drawn.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.data.audit.gather import Gathered
from harness.data.twins import twins
from harness.dialogue import Dialogue
from harness.errors import UsageError

SPLITS = ("train", "valid", "test")

By = Literal["dialogue", "persona"]


@dataclass(frozen=True, slots=True)
class Split:
    """Which split each dialogue is in, and how near that came to what was wished.

    `groups` is how many could be drawn, `largest` the dialogues of the largest.
    """

    of: tuple[str, ...]
    wished: dict[str, int]
    got: dict[str, int]
    groups: int
    largest: int

    @property
    def complaint(self) -> str:
        """Why the sizes are far from the wish (a tenth and more), empty if they are not."""
        far = [n for n in SPLITS if abs(self.got[n] - self.wished[n]) > max(1, self.wished[n] / 10)]
        if not far:
            return ""
        sizes = ", ".join(f"{name} {self.got[name]} instead of {self.wished[name]}" for name in far)
        return (
            f"{sizes}: the largest group that must stay together has {self.largest} of "
            f"{len(self.of)} dialogues"
        )


def split(
    dialogues: Iterable[Dialogue], *, valid: float, test: float, seed: int, by: By = "persona"
) -> Split:
    """Draw the split of each dialogue; `valid` and `test` are shares of all dialogues.

    The same set, shares and seed give the same split. A share that leaves a wished split, or
    train, without any dialogue is a `UsageError`.
    """
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise UsageError("--valid and --test are shares from 0 to below 1, together below 1")
    gathered = Gathered.of("", dialogues)
    wished = _wished(gathered.dialogues, valid=valid, test=test)
    groups = _groups(gathered, by=by)
    chosen = _drawn(groups, wished=wished, seed=seed)
    of = [""] * gathered.dialogues
    for group, name in zip(groups, chosen, strict=True):
        for place in group:
            of[place] = name
    return Split(
        tuple(of),
        wished=wished,
        got={name: of.count(name) for name in SPLITS},
        groups=len(groups),
        largest=max(map(len, groups)),
    )


def _wished(count: int, *, valid: float, test: float) -> dict[str, int]:
    sizes = {"valid": round(count * valid), "test": round(count * test)}
    wished = {"train": count - sum(sizes.values()), **sizes}
    for name, share in (("train", 1 - valid - test), ("valid", valid), ("test", test)):
        if share and wished[name] < 1:
            raise UsageError(f"{name} would have no dialogue: the file has only {count}")
    return wished


def _groups(gathered: Gathered, *, by: By) -> list[list[int]]:
    """The places of the dialogues of each group, in the order of the file."""
    leader = list(range(gathered.dialogues))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for place, others in enumerate(twins(gathered.sides())):
        for other in others:
            leader[find(other)] = find(place)
    owner: dict[tuple[str, int], int] = {}
    for place, marks in enumerate(_marks(gathered, by=by)):
        for mark in marks:
            leader[find(place)] = find(owner.setdefault(mark, place))
    groups: dict[int, list[int]] = {}
    for place in range(gathered.dialogues):
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())


def _marks(gathered: Gathered, *, by: By) -> Iterable[list[tuple[str, int]]]:
    """What a dialogue shares with those it must stay with: its talk, its persona's sentences."""
    for place in range(gathered.dialogues):
        marks = [("talk", gathered.content[place])]
        if by == "persona":
            begin, end = gathered.sentence_at[place : place + 2]
            marks += [("sentence", sentence) for sentence in gathered.sentence[begin:end]]
        yield marks


def _drawn(groups: list[list[int]], *, wished: dict[str, int], seed: int) -> list[str]:
    """The split of each group.

    Large groups (more than a quarter of the smallest split) come first, by size, so that they
    find room; of the rest each is drawn, the splits with the odds of the room they have left.
    """
    rng = random.Random(f"rostrum-split:{seed}")  # noqa: S311  (not a secret)
    large = min(size for size in wished.values() if size) / 4
    order = sorted(range(len(groups)), key=lambda _: rng.random())
    order.sort(key=lambda place: -len(groups[place]) if len(groups[place]) > large else 0)
    room = dict(wished)
    chosen = [""] * len(groups)
    for place in order:
        size = len(groups[place])
        fitting = [name for name in SPLITS if room[name] >= size]
        if size > large or not fitting:
            name = max(SPLITS, key=lambda one: room[one])
        else:
            name = rng.choices(fitting, weights=[room[one] for one in fitting])[0]
        room[name] -= size
        chosen[place] = name
    return chosen
