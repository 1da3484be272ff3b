"""The order of asking: which examples share a batch, and when a reply becomes history.

*Lockstep* is for hidden sets: all dialogues advance together, the reply of turn t becomes history
only when all answers of turn t are in, and batches are cut inside a turn, in an order that a
keyed hash gives. *Refill* is for public data: there are as many slots as a batch has rows, and a
slot takes the next dialogue when its own has ended, so batches stay full to the end and of a set
that is streamed no more than the slots is held.

Both are generators of batches: asking for the next one says that the last one is answered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple, get_args

from harness.dialogue import Context, Dialogue, Example, Turn
from harness.disguise import Disguise
from harness.errors import UsageError

Schedule = Literal["lockstep", "refill"]

BATCH_SIZE = 64


class Item(NamedTuple):
    """One example to ask for: `place` is its dialogue's in the set, `turn` its own in there.

    An agent is shown the context, and of the example no more than its track asks about.
    """

    place: int
    turn: int
    dialogue: Dialogue
    example: Example
    context: Context


class Known(NamedTuple):
    """An example by where it stands; for one whose answer is known already."""

    place: int
    turn: int
    dialogue: Dialogue


Skip = Callable[[Known], bool]
"""Whether this example need not be asked for; called once, when its turn has come."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a batch may be: `rows`, and `words` if padded to its longest row.

    A row's words are those of persona and turns, split at white space: rows times the longest
    row's words is at most `words`, but a batch always has one row.
    """

    rows: int = BATCH_SIZE
    words: int | None = None

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise UsageError(f"batch size {self.rows} is not at least 1")
        if self.words is not None and self.words < 1:
            raise UsageError(f"a batch of {self.words} words is not at least 1")

    def fits(self, rows: int, longest: int) -> bool:
        """Whether so many rows of so many words are one batch."""
        return rows <= self.rows and (self.words is None or rows * longest <= self.words)


def batches(
    schedule: Schedule,
    dialogues: Iterable[Dialogue],
    *,
    disguise: Disguise,
    size: Size,
    skip: Skip,
) -> Iterator[list[Item]]:
    """The batches of a set by the named schedule; an unknown name is a `UsageError`."""
    if schedule == "lockstep":
        return lockstep(list(dialogues), disguise=disguise, size=size, skip=skip)
    if schedule == "refill":
        return refill(dialogues, disguise=disguise, size=size, skip=skip)
    known = ", ".join(get_args(Schedule))
    raise UsageError(f"schedule {schedule!r} is unknown; known: {known}")


def lockstep(
    dialogues: Sequence[Dialogue], *, disguise: Disguise, size: Size, skip: Skip
) -> Iterator[list[Item]]:
    """All dialogues together, turn by turn, in the order of their keyed hashes."""
    talks = [_Talk(place, dialogue, disguise) for place, dialogue in enumerate(dialogues)]
    talks.sort(key=lambda talk: disguise.place(talk.dialogue.id))
    while talks := [talk for talk in talks if talk.advance()]:
        asked = [talk for talk in talks if not skip(talk.known())]
        for batch in _cut(asked, size):
            yield [talk.item() for talk in batch]


def refill(
    dialogues: Iterable[Dialogue], *, disguise: Disguise, size: Size, skip: Skip
) -> Iterator[list[Item]]:
    """As many dialogues at a time as a batch has rows; the next one begins where one has ended."""
    arriving = (_Talk(place, dialogue, disguise) for place, dialogue in enumerate(dialogues))
    beginning = (talk for talk in arriving if _goes_on(talk, skip))
    slots: list[_Talk] = []
    while True:
        # A slot waits no longer than it must: whoever was just asked goes to the end of the line.
        slots.extend(islice(beginning, size.rows - len(slots)))
        if not slots:
            return
        batch = slots if size.words is None else _alike(slots, size)
        yield [talk.item() for talk in batch]
        asked = {talk.place for talk in batch}
        waiting = [talk for talk in slots if talk.place not in asked]
        slots = waiting + [talk for talk in batch if _goes_on(talk, skip)]


class _Talk:
    """A dialogue under way: what was said so far, and which example is next.

    What was said is written down once and grows; it is never gathered anew for an example.
    """

    __slots__ = ("_counted", "_disguise", "_said", "_stem", "_words", "dialogue", "place", "turn")

    def __init__(self, place: int, dialogue: Dialogue, disguise: Disguise):
        self.place = place
        self.dialogue = dialogue
        self.turn = -1
        self._disguise = disguise
        self._stem = disguise.stem(dialogue.id)
        self._said: list[Turn] = []
        self._counted = 0
        self._words = 0

    def advance(self) -> bool:
        """Go to the next example, the reply to the last one now history; False if there is none."""
        examples = self.dialogue.examples
        if self.turn >= 0:
            self._said.append(Turn("self", examples[self.turn].replies[0]))
        self.turn += 1
        if self.turn == len(examples):
            return False
        self._said.extend([Turn("partner", text) for text in examples[self.turn].partner])
        return True

    def known(self) -> Known:
        return Known(self.place, self.turn, self.dialogue)

    def item(self) -> Item:
        dialogue = self.dialogue
        context = Context(
            self._disguise.name(self._stem, self.turn),
            dialogue.persona,
            dialogue.partner_persona,
            tuple(self._said),
        )
        return Item(self.place, self.turn, dialogue, dialogue.examples[self.turn], context)

    def words(self) -> int:
        """The words of persona and turns."""
        if self._counted == 0:
            personas = (*self.dialogue.persona, *self.dialogue.partner_persona)
            self._words = sum(len(text.split()) for text in personas)
        self._words += sum(len(turn.text.split()) for turn in self._said[self._counted :])
        self._counted = len(self._said)
        return self._words


def _goes_on(talk: _Talk, skip: Skip) -> bool:
    """Go to the dialogue's next example that is to be asked for; False if there is none."""
    while talk.advance():
        if not skip(talk.known()):
            return True
    return False


def _cut(talks: Sequence[_Talk], size: Size) -> Iterator[list[_Talk]]:
    """The talks in their order, in as few batches as greed finds."""
    batch: list[_Talk] = []
    longest = 0
    for talk in talks:
        words = talk.words() if size.words is not None else 0
        if batch and not size.fits(len(batch) + 1, max(longest, words)):
            yield batch
            batch, longest = [], 0
        batch.append(talk)
        longest = max(longest, words)
    if batch:
        yield batch


def _alike(slots: Sequence[_Talk], size: Size) -> list[_Talk]:
    """Whoever has waited longest, and those nearest to it in length that fit, the shortest first.

    Were the shortest of all taken first, a long dialogue could wait for ever.
    """
    first = slots[0]
    near = sorted(slots, key=lambda talk: (abs(talk.words() - first.words()), talk is not first))
    batch: list[_Talk] = []
    longest = 0
    for talk in near:
        if not batch or size.fits(len(batch) + 1, max(longest, talk.words())):
            batch.append(talk)
            longest = max(longest, talk.words())
    return sorted(batch, key=lambda talk: (talk.words(), talk.place))
