"""ConvAI2's file format, read strictly, with file, line number and reason for what is wrong.

    N text<TAB>reply|reply<TAB>reward<TAB>candidate|candidate|...

A number not greater than the one before begins an episode. Persona lines (`your persona: ...`,
`partner's persona: ...`) stand first. A line without a reply is context of the next. As in the
original, spaces around a field are dropped and a literal `\\n` stands for a line break.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.lines import bad_line, decoded, read_lines
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import OWN_PERSONA, PARTNER_PERSONA

MAX_LINE_BYTES = 256 * 1024
"""The longest line that is read; ConvAI2's longest has some 5 KB."""

_NUMBERED = re.compile(r"([0-9]+)(?: (.*))?", re.DOTALL)
_FIELDS = ("text", "replies", "reward", "candidates")


def read(path: Path | str) -> list[Dialogue]:
    """The dialogues of a file, named "1", "2", ... in its order; `UsageError` for a bad line."""
    path = Path(path)
    return parse(read_lines(path, bound=MAX_LINE_BYTES), name=str(path))


def parse(lines: Iterable[bytes | str], *, name: str = "lines") -> list[Dialogue]:
    """The dialogues of these lines; `name` stands for the file in an error."""
    dialogues: list[Dialogue] = []
    episode = _Episode(name)
    last_number = number = 0
    for number, raw in decoded(lines, name=name, bound=MAX_LINE_BYTES):
        line = _parse_line(raw, name=name, number=number)
        if last_number and line.count <= last_number:
            dialogues.append(episode.close(number=number - 1, name_of=len(dialogues) + 1))
            episode = _Episode(name)
        episode.add(line)
        last_number = line.count
    if not last_number:
        raise UsageError(f"{name}:1: the file is empty", code="bad_data")
    dialogues.append(episode.close(number=number, name_of=len(dialogues) + 1))
    return dialogues


def write(path: Path | str, dialogues: Iterable[Dialogue]) -> None:
    """Write dialogues so that `read` gives them back but for their names.

    What the format cannot hold (a tab, a `|` inside a reply, outer spaces, ...) is a
    `UsageError`; JSONL holds everything.
    """
    text = "".join(line for dialogue in dialogues for line in _format(dialogue))
    Path(path).write_bytes(text.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class _Line:
    """One line taken apart: `count` is its N, `number` its place in the file."""

    number: int
    count: int
    text: str
    replies: tuple[str, ...]
    reward: str | None
    candidates: tuple[str, ...]


def _parse_line(raw: str, *, name: str, number: int) -> _Line:
    match = _NUMBERED.fullmatch(raw)
    if not match or match[2] is None:
        raise bad_line(name, number, "a line begins with a number and one space")
    if len(match[1]) > 9 or int(match[1]) == 0:
        raise bad_line(name, number, f"the number {match[1][:12]} is not from 1 to 999999999")
    fields = [text.replace("\\n", "\n").strip() for text in match[2].split("\t")]
    if len(fields) > len(_FIELDS):
        raise bad_line(name, number, f"{len(fields)} fields; at most 4: {', '.join(_FIELDS)}")
    text, replies, reward, candidates = fields + [""] * (len(_FIELDS) - len(fields))
    line = _Line(
        number=number,
        count=int(match[1]),
        text=text,
        replies=_split(replies),
        reward=reward or None,
        candidates=_split(candidates),
    )
    if reason := _reason_against(line):
        raise bad_line(name, number, reason)
    return line


def _reason_against(line: _Line) -> str | None:
    if not line.text:
        return "no text between the number and the first tab"
    if "" in line.replies:
        return "an empty reply among several"
    if line.candidates and not line.replies:
        return "candidates, but no reply"
    if line.reward and not line.replies:
        return "a reward, but no reply"
    if line.candidates and line.replies[0] not in line.candidates:
        return f"the reply is not among the {len(line.candidates)} candidates"
    return None


@dataclass(slots=True)
class _Episode:
    """The lines of one episode as they come in; the only state of the parser."""

    name: str
    persona: list[str] = field(default_factory=list)
    partner_persona: list[str] = field(default_factory=list)
    partner: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)

    def add(self, line: _Line) -> None:
        for mark, sentences in (
            (OWN_PERSONA, self.persona),
            (PARTNER_PERSONA, self.partner_persona),
        ):
            if line.text.startswith(mark.rstrip()):
                sentences.append(self._sentence(line, mark.rstrip()))
                return
        self.partner.append(line.text)
        if line.replies:
            example = Example(tuple(self.partner), line.replies, line.candidates, line.reward)
            self.examples.append(example)
            self.partner = []

    def close(self, *, number: int, name_of: int) -> Dialogue:
        """The finished dialogue; `number` is the episode's last line."""
        if not self.examples:
            raise bad_line(self.name, number, "the episode ends without any reply (no tab)")
        if self.partner:
            raise bad_line(
                self.name, number, "the episode ends on a line without a reply (no tab); remove it"
            )
        return Dialogue(
            str(name_of), tuple(self.persona), tuple(self.partner_persona), tuple(self.examples)
        )

    def _sentence(self, line: _Line, mark: str) -> str:
        if self.partner or self.examples:
            raise bad_line(self.name, line.number, "a persona line after the talk began")
        if line.replies:
            raise bad_line(self.name, line.number, "a persona line with a reply")
        sentence = line.text.removeprefix(mark).strip()
        if not sentence:
            raise bad_line(self.name, line.number, "a persona line without a sentence")
        return sentence


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|")) if text else ()


def _format(dialogue: Dialogue) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [(OWN_PERSONA + _held(s),) for s in dialogue.persona]
    rows += [(PARTNER_PERSONA + _held(s),) for s in dialogue.partner_persona]
    for example in dialogue.examples:
        rows += [(_utterance(text),) for text in example.partner[:-1]]
        rows.append(_example_row(example))
    for count, row in enumerate(rows, 1):
        yield f"{count} " + "\t".join(row) + "\n"


def _example_row(example: Example) -> tuple[str, ...]:
    if "" in example.replies:
        raise _not_held("", "a reply is not empty")
    row = (_utterance(example.partner[-1]), _joined(example.replies))
    if not example.candidates:
        return (*row, _held(example.reward)) if example.reward else row
    reward = _held(example.reward) if example.reward else ""
    return (*row, reward, _joined(example.candidates))


def _utterance(text: str) -> str:
    if text.startswith((OWN_PERSONA.rstrip(), PARTNER_PERSONA.rstrip())):
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
