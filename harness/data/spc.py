"""Synthetic-Persona-Chat: its CSV file as dialogues.

One talk a row: `user 1 personas` and `user 2 personas`, a sentence a line, and `Best Generated
Conversation`, an utterance a line, each after `User 1:` or `User 2:` (Jandaghi et al. 2023,
arXiv 2312.10007). A few talks have the speaker in asterisks (`*User 1:* Hi`, `* User 1: Hi *`).
Lines without a speaker are stage directions or what follows a list; nobody says them.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.data.lines import bad_line, decoded, read_lines
from harness.data.tolerance import Tolerance
from harness.dialogue import SILENCE, Dialogue, Example

PERSONAS = ("user 1 personas", "user 2 personas")
TALK = "Best Generated Conversation"

MAX_LINE_BYTES = 128 * 1024
"""The longest line that is read; a field of several lines has at most as many characters."""

Sides = Literal["both", "first", "second"]
ANSWERING: dict[Sides, tuple[int, ...]] = {"both": (1, 2), "first": (1,), "second": (2,)}

Style = Literal["convai2", "kept"]

_SPOKEN = re.compile(r"(\*\s?)?User ([12]):(\*?)(.*)")
_APART = re.compile(r"[.,;:!?\"()]")


class Spoken(NamedTuple):
    """What speaker 1 or 2 says until the other one speaks."""

    speaker: int
    text: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A row: its number from 1, both personas, and what is said in turn.

    `unspoken` is how many of its lines have no speaker, `joined` how many follow one of the same
    speaker and were joined to it.
    """

    number: int
    personas: tuple[tuple[str, ...], tuple[str, ...]]
    spoken: tuple[Spoken, ...]
    unspoken: int = 0
    joined: int = 0

    def answered_by(self, speaker: int) -> Dialogue | None:
        """The talk as dialogue NUMBER.SPEAKER with this speaker's replies, None without any.

        What the other one says last is answered by nobody and left out.
        """
        spoken = self.spoken
        if spoken[0].speaker == speaker:
            spoken = (Spoken(3 - speaker, SILENCE), *spoken)
        pairs = zip(spoken[::2], spoken[1::2], strict=False)
        examples = tuple(Example((heard.text,), (said.text,)) for heard, said in pairs)
        if not examples:
            return None
        own, partner = self.personas if speaker == 1 else self.personas[::-1]
        return Dialogue(f"{self.number}.{speaker}", own, partner, examples)


def read(path: Path | str, *, style: Style = "convai2", tolerance: Tolerance) -> Iterator[Talk]:
    """The talks of a file as they come; `UsageError` with file, line and reason for a bad one."""
    path = Path(path)
    lines = read_lines(path, bound=MAX_LINE_BYTES)
    return parse(lines, style=style, tolerance=tolerance, name=str(path))


def parse(
    lines: Iterable[bytes | str], *, style: Style = "convai2", tolerance: Tolerance, name: str
) -> Iterator[Talk]:
    """The talks of these lines; `name` stands for the file in an error."""
    texts = (text + "\n" for _, text in decoded(lines, name=name, bound=MAX_LINE_BYTES))
    rows = csv.reader(texts, strict=True)
    columns = _columns(rows, name=name)
    number = 0
    while True:
        number, line = number + 1, rows.line_num + 1
        try:
            row = next(rows, None)
            if row is None:
                return
            talk = _talk([row[place] for place in columns], number=number, style=style)
        except (csv.Error, ValueError, IndexError) as error:
            tolerance.take(bad_line(name, line, _reason(error)))
        else:
            yield talk


def _columns(rows: Iterator[list[str]], *, name: str) -> list[int]:
    """Where the three columns stand in the header, the next of the rows."""
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise bad_line(name, 1, _reason(error)) from error
    missing = [column for column in (*PERSONAS, TALK) if column not in header]
    if missing:
        seen = ", ".join(repr(column[:40]) for column in header[:6]) or "an empty file"
        raise bad_line(name, 1, f"the header lacks {missing[0]!r}; it is {seen}")
    return [header.index(column) for column in (*PERSONAS, TALK)]


def _reason(error: Exception) -> str:
    if isinstance(error, IndexError):
        return "fewer fields than the header"
    return f"not CSV: {error}" if isinstance(error, csv.Error) else str(error)


def _talk(row: Sequence[str], *, number: int, style: Style) -> Talk:
    spoken: list[Spoken] = []
    unspoken = joined = 0
    for line in row[2].split("\n"):
        one = _spoken(line, style=style)
        if one is None:
            unspoken += bool(line.strip())
        elif spoken and spoken[-1].speaker == one.speaker:
            spoken[-1] = Spoken(one.speaker, f"{spoken[-1].text} {one.text}")
            joined += 1
        else:
            spoken.append(one)
    if not spoken:
        raise ValueError("no line of the talk begins with User 1: or User 2:")
    first, second = (_sentences(text, style=style) for text in row[:2])
    return Talk(number, (first, second), tuple(spoken), unspoken, joined)


def _spoken(line: str, *, style: Style) -> Spoken | None:
    match = _SPOKEN.fullmatch(line.strip())
    if not match:
        return None
    opened, speaker, closed, text = match.groups()
    if opened and not closed:
        text = text.rstrip().removesuffix("*")
    text = styled(text, style=style)
    return Spoken(int(speaker), text) if text else None


def _sentences(text: str, *, style: Style) -> tuple[str, ...]:
    return tuple(filter(None, (styled(line, style=style) for line in text.split("\n"))))


def styled(text: str, *, style: Style) -> str:
    """The text on single spaces, and as ConvAI2 writes: lower-case, `.,;:!?"()` set apart."""
    if style == "convai2":
        text = _APART.sub(r" \g<0> ", text.lower())
    return " ".join(text.split())
