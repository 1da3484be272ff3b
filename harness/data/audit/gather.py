"""What the audit remembers of a file: one pass, eight bytes a text, no text.

Texts are remembered as hashes of their normalised form, those of this process: salted anew in
each, so that nobody can prepare texts that collide. A set with 20 candidates takes some 300 bytes
an example, one without some 60, and what is computed of them several times that for a moment.
"""

from array import array
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data.twins import Sides
from harness.dialogue import SILENCE, Dialogue, Example
from harness.text import normalise

RIGHT = 1
"""Flag of a candidate: it is one of the labels after normalisation."""
ON_SCREEN = 2
"""Flag of a candidate: its words stand as an utterance or sentence in context or persona."""

Hashes = NDArray[np.int64]


@lru_cache(maxsize=1 << 16)
def key(text: str) -> int:
    """What a text is remembered by."""
    return hash(normalise(text))


class Gathered:
    """The numbers of one file, dialogue after dialogue; arrays grow as `add` is called."""

    def __init__(self, file: str):
        self.file = file
        # of each dialogue
        self.content = array("q")
        self.persona = array("q")  # 0 without one
        self.first = array("Q", [0])  # its first example; one more at the end
        self.heard_at = array("Q", [0])
        self.sentence_at = array("Q", [0])
        self.heard, self.sentence = array("q"), array("q")
        # of each example
        self.owner, self.turn = array("q"), array("q")
        self.reply, self.example = array("q"), array("q")
        self.place = array("q")  # of the reply among the candidates, -1 without
        self.first_candidate = array("q", [0])
        self.on_screen = bytearray()
        self.no_label = bytearray()
        # of each candidate
        self.candidate, self.length, self.flags = array("q"), array("i"), bytearray()
        # of each blank text: where it stands
        self.texts = 0
        self.blank: list[tuple[int, int | None]] = []
        self.blanks = 0

    @classmethod
    def of(cls, file: str, dialogues: Iterable[Dialogue]) -> "Gathered":
        """All of a file."""
        gathered = cls(file)
        for dialogue in dialogues:
            gathered.add(dialogue)
        return gathered

    @property
    def dialogues(self) -> int:
        """How many dialogues were added."""
        return len(self.content)

    @property
    def examples(self) -> int:
        """How many examples they hold."""
        return len(self.reply)

    def add(self, dialogue: Dialogue) -> None:
        """Remember a dialogue."""
        place = self.dialogues
        sentences = [key(text) for text in dialogue.persona]
        screen = {*sentences, *(key(text) for text in dialogue.partner_persona)}
        self._count_blanks((*dialogue.persona, *dialogue.partner_persona), place=place)
        before = 0
        for turn, example in enumerate(dialogue.examples):
            before = self._add_example(example, place=place, turn=turn, before=before, on=screen)
        self.content.append(before)
        self.persona.append(hash(frozenset(sentences)) if sentences else 0)
        self.sentence.extend(sentences)
        for at, texts in (
            (self.first, self.reply),
            (self.heard_at, self.heard),
            (self.sentence_at, self.sentence),
        ):
            at.append(len(texts))

    def _add_example(
        self, example: Example, *, place: int, turn: int, before: int, on: set[int]
    ) -> int:
        """Remember an example; the hash of all that was said with its reply."""
        heard = [key(text) for text in example.partner if text != SILENCE]
        labels = [key(text) for text in example.replies]
        self.heard.extend(heard)
        on.update(heard)
        self.owner.append(place)
        self.turn.append(turn)
        self.reply.append(labels[0])
        self.on_screen.append(labels[0] in on)
        self.no_label.append(not example.replies[0].strip())
        self._add_candidates(example, labels=labels, on=on)
        self._count_blanks((*example.partner, *example.candidates), place=place, turn=turn)
        said = hash((before, *heard, labels[0]))
        self.example.append(said)
        on.add(labels[0])
        return said

    def _add_candidates(self, example: Example, *, labels: list[int], on: set[int]) -> None:
        reply = example.replies[0]
        self.place.append(example.candidates.index(reply) if reply in example.candidates else -1)
        for text in example.candidates:
            known = key(text)
            self.candidate.append(known)
            self.length.append(len(text))
            self.flags.append(RIGHT * (known in labels) | ON_SCREEN * (known in on))
        self.first_candidate.append(len(self.candidate))

    def _count_blanks(self, texts: tuple[str, ...], *, place: int, turn: int | None = None) -> None:
        self.texts += len(texts)
        if blanks := sum(not text.strip() for text in texts):
            self.blanks += blanks
            if len(self.blank) < 100:
                self.blank.append((place, turn))

    def sides(self) -> list[Sides]:
        """What each dialogue says and hears."""
        return [
            Sides(
                said=frozenset(self.reply[self.first[n] : self.first[n + 1]]),
                heard=frozenset(self.heard[self.heard_at[n] : self.heard_at[n + 1]]),
            )
            for n in range(self.dialogues)
        ]


class Lists:
    """The candidate lists of a file as flat arrays: of lists, and of all candidates in a row."""

    def __init__(self, gathered: Gathered):
        bounds = _flat(gathered.first_candidate)
        sizes = np.diff(bounds)
        self.file = gathered.file
        self.number: Hashes = np.flatnonzero(sizes)
        """Which examples have a list."""
        self.size: Hashes = sizes[self.number]
        self.start: Hashes = bounds[:-1][self.number]
        self.all_owners: Hashes = _flat(gathered.owner)
        self.all_turns: Hashes = _flat(gathered.turn)
        self.all_replies: Hashes = _flat(gathered.reply)
        """Of every example, listed or not."""
        self.owner: Hashes = self.all_owners[self.number]
        self.turn: Hashes = self.all_turns[self.number]
        self.place: Hashes = _flat(gathered.place)[self.number]
        self.reply: Hashes = self.all_replies[self.number]
        self.of: NDArray[np.int32] = np.repeat(
            np.arange(len(self.number), dtype=np.int32), self.size
        )
        """The list of each candidate."""
        self.text: Hashes = _flat(gathered.candidate)
        self.length: NDArray[np.int32] = np.frombuffer(gathered.length, dtype=np.int32)
        flags = np.frombuffer(gathered.flags, dtype=np.uint8)
        self.right = (flags & RIGHT) > 0
        self.on_screen = (flags & ON_SCREEN) > 0

    def __len__(self) -> int:
        return len(self.number)


def _flat(numbers: "array[int]") -> Hashes:
    """The same eight-byte numbers without a copy; from then on nothing can be added."""
    return np.frombuffer(numbers, dtype=np.int64)
