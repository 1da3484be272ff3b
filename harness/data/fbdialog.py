"""ConvAI2's file format, read strictly, with file, line, column and reason for what is wrong.

    N text<TAB>reply|reply<TAB>reward<TAB>candidate|candidate|...

A number not greater than the one before begins an episode. Persona lines (`your persona: ...`,
`partner's persona: ...`) stand first. A line without a reply is context of the next. As in the
original, spaces around a field are dropped and a literal `\\n` stands for a line break.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from harness.data.lines import bad_line, decode, read_lines, seen
from harness.data.tolerance import Tolerance
from harness.data.writing import write_each
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import OWN_PERSONA, PARTNER_PERSONA

MAX_LINE_BYTES = 256 * 1024
"""The longest line that is read; ConvAI2's longest has some 5 KB."""

MAX_EPISODE_BYTES = 16 * 1024 * 1024
MAX_EPISODE_LINES = 100_000
"""The longest episode that is read; one at a time stands in memory."""

_TOO_LONG = (
    f"has more than {MAX_EPISODE_LINES} lines or {MAX_EPISODE_BYTES} bytes; "
    "the numbers begin anew with each talk"
)

FIELDS = ("text", "replies", "reward", "candidates")

_OWN_MARK = OWN_PERSONA.rstrip()
_PARTNER_MARK = PARTNER_PERSONA.rstrip()
_MARKS = (_OWN_MARK, _PARTNER_MARK)
_MAX_DIGITS = 9


def read(path: Path | str) -> list[Dialogue]:
    """The dialogues of a file, named "1", "2", ... in its order; `UsageError` for a bad line."""
    return list(stream(path))


def stream(path: Path | str, *, tolerance: Tolerance | None = None) -> Iterator[Dialogue]:
    """The same one by one, so that memory holds one episode of the file at a time."""
    lines = read_lines(Path(path), bound=MAX_LINE_BYTES)
    return scan(lines, name=str(path), tolerance=tolerance)


def parse(lines: Iterable[bytes | str], *, name: str = "lines") -> list[Dialogue]:
    """The dialogues of these lines; `name` stands for the file in an error."""
    return list(scan(lines, name=name))


def scan(
    lines: Iterable[bytes | str], *, name: str = "lines", tolerance: Tolerance | None = None
) -> Iterator[Dialogue]:
    """The dialogues of these lines one by one.

    An episode with a bad line is left out whole as far as `tolerance` goes. A line whose number
    cannot be read belongs to the episode before it. A name is the episode's place in the file,
    whatever is left out.
    """
    tolerance = tolerance or Tolerance()
    read = 0
    for place, block in enumerate(_blocks(lines), 1):
        try:
            dialogue = _dialogue(block, name=name, place=place)
        except UsageError as error:
            tolerance.take(error)
            continue
        read += 1
        yield dialogue
    tolerance.expect_some(name=name, read=read)


def write(path: Path | str, dialogues: Iterable[Dialogue]) -> None:
    """Write dialogues as they come, so that `read` gives them back but for their names.

    The file appears whole or not at all. What the format cannot hold (a tab, a `|` inside a
    reply, outer spaces, no dialogue at all, ...) is a `UsageError`; JSONL holds every text.
    """
    write_each(path, ("".join(_format(one)).encode("utf-8") for one in dialogues))


class _Block(NamedTuple):
    """The raw lines of one episode; `first` is the number of the first in the file.

    `cut` says that the episode was too long and lacks its end.
    """

    first: int
    lines: Sequence[bytes]
    cut: bool = False


def _blocks(lines: Iterable[bytes | str]) -> Iterator[_Block]:
    """The lines by episode, and the first of those beyond a bound without the rest."""
    block: list[bytes] = []
    first, last, room = 1, 0, MAX_EPISODE_BYTES
    for number, line in enumerate(lines, 1):
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
        count = _count(raw)
        if count is not None:
            if last and count <= last:
                if room >= 0:
                    yield _Block(first, block)
                block, first, room = [], number, MAX_EPISODE_BYTES
            last = count
        if room < 0:
            continue
        room -= len(raw)
        block.append(raw)
        if room < 0 or len(block) > MAX_EPISODE_LINES:
            room = -1
            yield _Block(first, block, cut=True)
            block = []
    if block:
        yield _Block(first, block)


def _count(raw: bytes) -> int | None:
    head = raw[: _MAX_DIGITS + 1].partition(b" ")[0]
    return int(head) if head.isdigit() and len(head) <= _MAX_DIGITS else None


class _FieldError(ValueError):
    """What is wrong with one line, and in which of its fields; None: in the line as a whole."""

    def __init__(self, reason: str, *, field: int | None = None):
        super().__init__(reason)
        self.field = field


def _dialogue(block: _Block, *, name: str, place: int) -> Dialogue:
    episode = _Episode()
    for number, raw in enumerate(block.lines, block.first):
        text = _text(raw, name=name, number=number)
        try:
            episode.add(text)
        except _FieldError as error:
            column = _column(text, error.field)
            raise bad_line(name, number, str(error), column=column) from None
    reason = _TOO_LONG if block.cut else episode.reason_against()
    if reason:
        last = block.first + len(block.lines) - 1
        raise bad_line(name, last, f"the episode that begins on line {block.first} {reason}")
    return episode.dialogue(str(place))


def _text(raw: bytes, *, name: str, number: int) -> str:
    """The line as text; its end, if it is there, goes with the outer spaces of its last field."""
    if number > 1 and len(raw) <= MAX_LINE_BYTES:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            pass  # the slow way says where
    return decode(raw, name=name, number=number, bound=MAX_LINE_BYTES)


def _column(text: str, field: int | None) -> int | None:
    """Where a field begins, in characters from 1; the first one after the number."""
    if field is None:
        return None
    before = text.split("\t")[:field]
    return sum(len(each) + 1 for each in before) + 1 if field else text.index(" ") + 2


class _Episode:
    """What the lines of one episode said so far; the only state of the parser."""

    __slots__ = ("examples", "partner", "partner_persona", "persona")

    def __init__(self) -> None:
        self.persona: list[str] = []
        self.partner_persona: list[str] = []
        self.partner: list[str] = []
        self.examples: list[Example] = []

    def add(self, line: str) -> None:
        """Add one line; `_FieldError` if it is wrong in itself or where it stands."""
        head, *fields = line.split("\t")
        number, space, text = head.partition(" ")
        if not (space and number.isdigit() and number.isascii()):
            raise _FieldError(f"a line begins with a number and one space, not with {seen(head)}")
        if len(number) > _MAX_DIGITS or number.strip("0") == "":
            raise _FieldError(f"the number {number[:12]} is not from 1 to 999999999")
        if len(fields) >= len(FIELDS):
            reason = f"{len(fields) + 1} fields; at most 4: {', '.join(FIELDS)}"
            raise _FieldError(reason, field=len(FIELDS))
        if "\\n" in line:
            text, *fields = (field.replace("\\n", "\n") for field in (text, *fields))
        text = text.strip()
        if text.startswith(_MARKS):
            self._add_sentence(text, fields)
        elif fields:
            self._add_example(text, fields)
        else:
            self.partner.append(text or _no_text())

    def _add_sentence(self, text: str, fields: Sequence[str]) -> None:
        own = text.startswith(_OWN_MARK)
        sentence = text.removeprefix(_OWN_MARK if own else _PARTNER_MARK).strip()
        if self.partner or self.examples:
            raise _FieldError("a persona line after the talk began; they stand first", field=0)
        if any(field.strip() for field in fields):
            raise _FieldError("a persona line with a reply; it has one field", field=1)
        if not sentence:
            raise _FieldError("a persona line without a sentence", field=0)
        (self.persona if own else self.partner_persona).append(sentence)

    def _add_example(self, text: str, fields: Sequence[str]) -> None:
        if not text:
            _no_text()
        replies = _split(fields[0])
        reward, candidates = _rest(replies, fields) if len(fields) > 1 else (None, ())
        if "" in replies:
            raise _FieldError(f"an empty reply among several: {seen(fields[0])}", field=1)
        self.partner.append(text)
        if replies:
            self.examples.append(Example(tuple(self.partner), replies, candidates, reward))
            self.partner = []

    def reason_against(self) -> str | None:
        """Why the episode may not end here."""
        if not self.examples:
            return "ends without any reply (no tab)"
        if self.partner:
            return "ends on a line without a reply (no tab); remove it"
        return None

    def dialogue(self, identifier: str) -> Dialogue:
        """The episode as a value."""
        return Dialogue(
            identifier, tuple(self.persona), tuple(self.partner_persona), tuple(self.examples)
        )


def _rest(replies: tuple[str, ...], fields: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Reward and candidates, which need a reply."""
    reward = fields[1].strip() or None
    candidates = _split(fields[2]) if len(fields) > 2 else ()
    if not replies and candidates:
        raise _FieldError("candidates, but no reply", field=3)
    if not replies and reward:
        raise _FieldError("a reward, but no reply", field=2)
    if candidates and replies[0] not in candidates:
        reason = f"the reply is not among the {len(candidates)} candidates: {seen(replies[0])}"
        raise _FieldError(reason, field=3)
    return reward, candidates


def _no_text() -> NoReturn:
    raise _FieldError("no text between the number and the first tab", field=0)


def _split(field: str) -> tuple[str, ...]:
    field = field.strip()
    if "|" in field:
        return tuple([part.strip() for part in field.split("|")])
    return (field,) if field else ()


def _format(dialogue: Dialogue) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [(OWN_PERSONA + _held(s),) for s in dialogue.persona]
    rows += [(PARTNER_PERSONA + _held(s),) for s in dialogue.partner_persona]
    for example in dialogue.examples:
        rows += [(_utterance(text),) for text in example.partner[:-1]]
        rows.append(_example_row(example))
    if not dialogue.examples:
        raise _not_held(dialogue.id, "a dialogue holds at least one reply")
    for count, row in enumerate(rows, 1):
        yield f"{count} " + "\t".join(row) + "\n"


def _example_row(example: Example) -> tuple[str, ...]:
    if "" in example.replies or not (example.replies and example.partner):
        raise _not_held("", "an example needs an utterance and replies that are not empty")
    row = (_utterance(example.partner[-1]), _joined(example.replies))
    reward = "" if example.reward is None else _held(example.reward)
    if example.candidates:
        return (*row, reward, _joined(example.candidates))
    return (*row, reward) if reward else row


def _utterance(text: str) -> str:
    if text.startswith(_MARKS):
        raise _not_held(text, "it would be read as a persona line")
    return _held(text)


def _joined(texts: Sequence[str]) -> str:
    for text in texts:
        if "|" in text:
            raise _not_held(text, "a | separates replies")
    if len(texts) == 1:
        return _held(texts[0])
    return "|".join(_held(text) if text else "" for text in texts)


def _held(text: str) -> str:
    """The text as a field, if reading it back gives the same."""
    if not text or text != text.strip():
        raise _not_held(text, "it is empty or has outer spaces")
    if "\t" in text or "\\n" in text or "\r" in text:
        raise _not_held(text, "it holds a tab, a carriage return or a literal \\n")
    return text.replace("\n", "\\n")


def _not_held(text: str, reason: str) -> UsageError:
    return UsageError(
        f"fbdialog cannot hold {text[:60]!r}: {reason}; write .jsonl instead", code="bad_data"
    )
