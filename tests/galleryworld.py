"""The gallery of hostile submissions as values: what each folder does, and what it must get.

`expected.toml` of a folder says its `kind` (`cell`: a submission that is run, the default; `git`: a
repository to fetch; `requirements`: packages to install), the `verdict` per sandbox, and for a cell
the track, the limits, whether its log is kept, the data it is asked on, the score it may get.
"""

import math
import random
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from harness.agent import Track
from harness.dialogue import Dialogue, Example
from harness.report import Report
from harness.text import Vocabulary

GALLERY = Path(__file__).resolve().parent / "gallery"
GOOD = GALLERY / "good"

CANARY = "canary-5d1f0a77c0ffee42"
"""Stands in labels that no cell is ever shown."""

Verdict = tuple[str, str | None]
"""A code and a detail of `harness.errors.VERDICTS`, or `scored`."""

SMALL: dict[str, float | int] = {
    "start": 30.0,
    "load": 30.0,
    "batch": 30.0,
    "bank": 1.0,
    "total": 60.0,
    "memory": 256 << 20,
    "cpus": 1.0,
    "pids": 48,
    "tmp": 8 << 20,
    "inodes": 500,
    "log_bytes": 8 << 10,
}


@dataclass(frozen=True)
class Case:
    """One folder: where it stands and what its `expected.toml` says."""

    folder: Path
    page: dict[str, Any] = field(repr=False)  # Any: TOML, read by the properties

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> str:
        return str(self.page.get("kind", "cell"))

    @property
    def track(self) -> Track:
        track: Track = self.page.get("track", "f1")
        return track

    @property
    def keeps_log(self) -> bool:
        """Whether it is run as a preflight is; else as a hidden run, which says nothing."""
        return bool(self.page.get("log", True))

    @property
    def limits(self) -> dict[str, Any]:  # Any: numbers of either kind
        return SMALL | self.page.get("limits", {})

    @property
    def dialogues(self) -> list[Dialogue]:
        return DATA[self.page.get("data", "talk")]()

    def expected(self, walls: str) -> Verdict:
        """The verdict in this sandbox; `bubblewrap` is the table of `bubblewrap+cgroup`, too."""
        names = (walls, walls.split("+", maxsplit=1)[0], "verdict")
        table = next(self.page[name] for name in names if name in self.page)
        return table["code"], table.get("detail")

    def verdicts(self) -> Iterator[Verdict]:
        """Every verdict that the folder names."""
        for name in ("verdict", "docker", "bubblewrap", "bubblewrap+cgroup"):
            if name in self.page:
                yield self.page[name]["code"], self.page[name].get("detail")

    def complaint(self, report: Report, honest: Report) -> str | None:
        """What is wrong with its score, if anything; `honest` is the good agent's on the same."""
        wanted, score = self.page.get("score", {}), report.score.value
        if "like" in wanted and not math.isclose(score, honest.score.value, rel_tol=1e-6):
            return f"{score} is not the {honest.score.value} of an honest agent"
        if "worse_than" in wanted and not score > honest.score.value:
            return f"{score} is no worse than {honest.score.value}"
        if "infinite" in wanted and not math.isinf(score):
            return f"{score} is finite"
        if not wanted.get("least", -math.inf) <= score <= wanted.get("most", math.inf):
            return f"{score} is not chance"
        return None


def cases(kind: str | None = None) -> list[Case]:
    """All folders, of one kind or of every kind, by name."""
    found = sorted(GALLERY.glob("*/expected.toml"))
    read = [Case(path.parent, tomllib.loads(path.read_text("utf-8"))) for path in found]
    return [case for case in read if kind in (None, case.kind)]


WORDS = ("turtles", "music", "the sea", "long walks", "old books")


def talk(persona: str = "i like {} .") -> list[Dialogue]:
    """Three short talks; a second label, which nobody is ever shown, holds the canary."""
    return [
        Dialogue(
            id=str(number),
            persona=(persona.format(WORDS[number]),),
            examples=tuple(
                Example(
                    partner=(f"do you like {word} ?",),
                    replies=(f"{word} , yes", f"{CANARY} {word}"),
                    candidates=tuple(f"{other} , yes" for other in WORDS),
                    reward=CANARY,
                )
                for word in WORDS[number:]
            ),
        )
        for number in range(3)
    ]


def large() -> list[Dialogue]:
    """One whose first request is larger than the buffers of a socket."""
    return talk("word " * 4_000_000 + "{}")[:1]


def many() -> list[Dialogue]:
    """150 talks of three turns and 20 candidates, in which no word of a reply recurs."""
    rng, fresh = random.Random(1), (f"w{number}" for number in count())

    def text() -> str:
        return " ".join(next(fresh) for _ in range(rng.randint(1, 6)))

    def example() -> Example:
        reply = text()
        return Example((text(),), (reply,), (*(text() for _ in range(19)), reply))

    return [
        Dialogue(f"d{number}", examples=tuple(example() for _ in range(3))) for number in range(150)
    ]


def twins() -> list[Dialogue]:
    """Both sides of each talk: what one hears is what the other says."""
    return [side for one in many()[:75] for side in (one, _other_side(one))]


def _other_side(one: Dialogue) -> Dialogue:
    turned = tuple(
        Example((mine.replies[0],), mine.partner, (*mine.candidates[:-1], *mine.partner))
        for mine in one.examples
    )
    return Dialogue(f"{one.id}-other", examples=turned)


def borrowed() -> list[Dialogue]:
    """Candidates that are the replies of other talks."""
    rng, talks = random.Random(2), many()
    replies = [one.replies[0] for dialogue in talks for one in dialogue.examples]

    def example(one: Example) -> Example:
        others = rng.sample([reply for reply in replies if reply != one.replies[0]], 19)
        return Example(one.partner, one.replies, (*others, one.replies[0]))

    return [Dialogue(one.id, examples=tuple(map(example, one.examples))) for one in talks]


DATA: dict[str, Callable[[], list[Dialogue]]] = {
    "talk": talk,
    "large": large,
    "many": many,
    "twins": twins,
    "borrowed": borrowed,
}


def vocabulary_of(dialogues: list[Dialogue]) -> Vocabulary:
    """Their dictionary; the second labels are in nobody's."""
    spoken = [
        replace(one, examples=tuple(replace(e, replies=e.replies[:1]) for e in one.examples))
        for one in dialogues
    ]
    return Vocabulary.build(spoken, [])
