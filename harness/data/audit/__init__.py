"""What in sets of dialogues gives answers away, or makes a score of them worth less.

Each file is read once for its numbers (`gather`) and, where something was found, a second time
for the words of the examples. `docs/audit.md` explains every check.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.data.audit.finding import CHECKS, Finding, Place, Severity
from harness.data.audit.gather import Gathered, Lists
from harness.data.audit.lists import by_lists
from harness.data.audit.repeats import by_files, by_repeats, by_train
from harness.data.audit.rules import by_rules
from harness.dialogue import Dialogue

__all__ = ["CHECKS", "Audit", "Finding", "Place", "Severity", "Source", "audit"]


class Source(NamedTuple):
    """A set to audit: its name, and how to read it from the beginning (twice at most)."""

    name: str
    open: Callable[[], Iterable[Dialogue]]


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """What was read of a file."""

    file: str
    dialogues: int
    examples: int
    lists: int


@dataclasses.dataclass(frozen=True, slots=True)
class Audit:
    """What was read, and the findings: errors first, in the order of the files."""

    sizes: tuple[Size, ...]
    findings: tuple[Finding, ...]

    def at_least(self, severity: Severity) -> bool:
        """Whether anything as bad as this was found."""
        bar = list(Severity).index(severity)
        return any(list(Severity).index(one.severity) <= bar for one in self.findings)


def audit(sources: Sequence[Source], *, train: Source | None = None, examples: int = 1) -> Audit:
    """Audit these sets, alone, against each other, and against a training set.

    With so many examples a finding, in words. Deterministic but for collisions of 64-bit hashes.
    """
    learnt = Gathered.of(train.name, train.open()) if train else None
    files = [Gathered.of(source.name, source.open()) for source in sources]
    found: list[Finding] = []
    sizes = []
    for one in files:
        lists = Lists(one)
        sizes.append(Size(one.file, one.dialogues, one.examples, len(lists)))
        found += by_lists(lists, examples=one.examples, places=examples)
        found += by_rules(lists, places=examples)
        found += by_repeats(one, places=examples)
        if learnt:
            found += by_train(one, learnt, places=examples)
    found += by_files(files, places=examples)
    found.sort(key=lambda one: list(Severity).index(one.severity))
    return Audit(tuple(sizes), tuple(_in_words(found, sources)))


def _in_words(found: Sequence[Finding], sources: Sequence[Source]) -> Iterable[Finding]:
    """The findings with their places as words, for which the files are read again."""
    words: dict[Place, str] = {}
    for source in sources:
        wanted: dict[int, list[Place]] = {}
        for place in {p for one in found for p in one.places if p.file == source.name}:
            wanted.setdefault(place.dialogue, []).append(place)
        for number, dialogue in enumerate(source.open() if wanted else ()):
            for place in wanted.pop(number, ()):
                words[place] = _words(place, dialogue)
            if not wanted:
                break
    for one in found:
        yield dataclasses.replace(one, examples=tuple(words[place] for place in one.places))


def _words(place: Place, dialogue: Dialogue) -> str:
    """Where it is, and what stands there: the candidate, the reply or the first utterance."""
    where = f"dialogue {dialogue.id}"
    if place.example is None:
        text = dialogue.examples[0].partner[0] if dialogue.examples else ""
    else:
        example = dialogue.examples[place.example]
        where += f", reply {place.example + 1}"
        text = example.replies[0]
        if place.candidate is not None:
            where += f", candidate {place.candidate + 1}"
            text = example.candidates[place.candidate]
    said = f'{where}: "{text}"'
    return f"{said} ({place.remark})" if place.remark else said
