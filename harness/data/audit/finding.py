"""What an audit may find: the checks as a table, and a finding of one of them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Severity(StrEnum):
    """How bad a finding is: an error makes scores worthless, a warning shifts them."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Check(NamedTuple):
    """One kind of finding: its name, what it means, what to do about it."""

    id: str
    title: str
    do: str


class Place(NamedTuple):
    """Where to look: dialogue and example of a file, counted from 0; `text` says what is there."""

    file: str
    dialogue: int
    example: int | None = None
    candidate: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` of `total` `unit` (examples, dialogues, ...) of a file show what `check` looks for.

    `detail` is the sentence with the numbers; `places` are a few of them to look at, `examples`
    the same in words once they have been read again.
    """

    check: str
    severity: Severity
    file: str
    count: int
    total: int
    unit: str
    detail: str = ""
    places: tuple[Place, ...] = field(default=(), compare=False)
    examples: tuple[str, ...] = field(default=(), compare=False)

    @property
    def share(self) -> float:
        """The share of the units that show it, 0 to 1."""
        return self.count / self.total if self.total else 0.0

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """The finding with the title of its check and what to do."""
        check = CHECKS[self.check]
        return {
            "check": self.check,
            "severity": self.severity.value,
            "title": check.title,
            "file": self.file,
            "count": self.count,
            "total": self.total,
            "unit": self.unit,
            "share": self.share,
            "detail": self.detail,
            "examples": list(self.examples),
            "do": check.do,
        }


_DRAW = "draw new lists: rostrum data candidates FILE --pool OTHER --out NEW"

CHECKS: dict[str, Check] = {
    check.id: check
    for check in (
        Check(
            "reply-place",
            "the reply's place in the list gives it away",
            "rostrum eval shows candidates in an order of its own; for any other tool "
            f"shuffle, or {_DRAW}",
        ),
        Check(
            "borrowed-distractors",
            "distractors are replies of other dialogues",
            f"{_DRAW}; rostrum asks such a hidden set in shards of 50",
        ),
        Check(
            "returning-replies",
            "a candidate that was a reply elsewhere is the reply",
            "draw distractors that are said about as often as replies are, or count the score "
            "of common replies apart",
        ),
        Check("reply-length", "the reply's length gives it away", _DRAW),
        Check("reply-frequency", "how often a candidate is listed gives the reply away", _DRAW),
        Check(
            "reply-on-screen",
            "the reply stands in its own context or persona",
            "leave such examples out, or draw distractors from what is on screen as well",
        ),
        Check("distractor-is-answer", "a distractor is a right answer after normalisation", _DRAW),
        Check("candidate-duplicates", "a list holds a candidate twice after normalisation", _DRAW),
        Check(
            "candidate-counts",
            "lists differ in length",
            f"hits@1 of lists of different lengths is no one figure; {_DRAW}",
        ),
        Check(
            "twins",
            "both sides of one talk: one shows the replies of the other",
            "keep one side of each talk: rostrum data import spc --sides second, or remove "
            "every second dialogue of a file that holds both",
        ),
        Check("duplicate-dialogues", "a dialogue stands more than once", "remove the copies"),
        Check(
            "duplicate-examples",
            "an example (what was said before, and the reply) stands more than once",
            "remove the copies; equal beginnings of talks weigh twice",
        ),
        Check("label-missing", "an example has an empty reply", "remove the example"),
        Check(
            "empty-text",
            "an utterance, persona sentence or candidate is blank",
            "remove it; a blank candidate can be ruled out unread",
        ),
        Check(
            "train-dialogues",
            "a dialogue stands in the training set as well",
            "remove it from one of the two: rostrum data split makes sets that share none",
        ),
        Check(
            "train-twins",
            "the other side of a talk stands in the training set",
            "remove it from one of the two: rostrum data split keeps twins together",
        ),
        Check(
            "train-examples",
            "an example stands in the training set as well",
            "remove it from one of the two",
        ),
        Check(
            "train-replies",
            "a reply occurs in the training set",
            "nothing if they are common replies; compare the share with that of another set",
        ),
        Check(
            "train-personas",
            "a persona answers in the training set as well",
            "rostrum data split --by persona makes sets that share none",
        ),
        Check(
            "train-sentences",
            "a persona sentence occurs in the training set",
            "rostrum data split --by persona makes sets that share none",
        ),
        Check(
            "files-dialogues",
            "two files share dialogues",
            "fine for variants of one split, else remove them from one of the two",
        ),
        Check(
            "files-twins",
            "two files hold the two sides of a talk",
            "do not score one where the other is known",
        ),
    )
}
"""Every check by its name; `docs/audit.md` explains each."""
