"""Words as the rules count them: the official split, answer normalisation, the dictionary.

These are compatibility rules of ConvAI2 and must stay exact: a score's meaning hangs on them.
"""

import hashlib
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from harness.dialogue import Dialogue
from harness.errors import UsageError

SPECIALS = ("__null__", "__start__", "__end__", "__unk__")
"""The entries that head every dictionary; probability given to them is lost."""

OWN_PERSONA = "your persona: "
PARTNER_PERSONA = "partner's persona: "
"""How ConvAI2's files mark a persona line; the words of the mark count as words of the text."""

MAX_DICTIONARY_BYTES = 64 * 1024 * 1024
"""The largest dictionary file that is read."""

_SPECIAL_COUNT = 1_000_000_003
"""What the original writes as the count of the first special, falling by one: they sort first."""

_APART = ".,;:!?"
_MARKS = string.punctuation.encode("ascii")
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ARTICLE_WORDS = frozenset({"a", "an", "the"})

_PLAIN = bytes(ord(" ") if byte in _MARKS else byte for byte in range(128)) + bytes(range(128, 256))
"""Punctuation to spaces, byte by byte."""

_UNTOLD = bytes(byte for byte in range(128) if byte != ord("\n") and not chr(byte).isalnum())
_UNTRACED = _UNTOLD + b"aneth"
"""What `answer_traces` leaves out: all but letters and digits, and the letters of the articles."""


def split_words(text: str) -> list[str]:
    """The official words of a text: lower-case, each of `. , ; : ! ?` apart, then whitespace.

    >>> split_words("Well, I don't know...")
    ['well', ',', 'i', "don't", 'know', '.', '.', '.']
    """
    text = text.lower()
    for mark in _APART:  # four times as fast as one regular expression
        if mark in text:
            text = text.replace(mark, f" {mark} ")
    return text.split()


def normalise(text: str) -> str:
    """An answer as F1 and hits compare it.

    Lower-case; each ASCII punctuation mark becomes a space; the words a, an, the are dropped;
    words are joined on single spaces. A typographic apostrophe is not ASCII and stays.

    >>> normalise("The dog, I don't know!")
    'dog i don t know'
    """
    return " ".join(answer_words(text))


def answer_words(text: str) -> list[str]:
    """The words of a normalised answer: `normalise(text).split()`.

    Printable ASCII takes a quicker path to the same words: there an article is dropped exactly
    where it is a whole word. Elsewhere (a control character, a combining mark) a word boundary
    may also stand inside of what whitespace sets apart.
    """
    text = text.lower()
    if text.isascii() and text.isprintable():
        words = text.encode("ascii").translate(_PLAIN).decode("ascii").split()
        if _ARTICLE_WORDS.isdisjoint(words):
            return words
        return [word for word in words if word not in _ARTICLE_WORDS]
    return _ARTICLES.sub(" ", _PUNCTUATION.sub(" ", text)).split()


def answer_traces(texts: Sequence[str]) -> list[bytes]:
    """A short trace of each text; texts that are equal once normalised have equal traces.

    So unequal traces rule out most of twenty candidates at the cost of normalising one. A trace is
    the text's lower-case ASCII letters and digits, but for those of which articles are made.
    Normalising takes away nothing else that a trace holds, so no equal pair is missed; a pair with
    equal traces has still to be compared.
    """
    joined = "\n".join(texts).lower().encode("ascii", "ignore").translate(None, _UNTRACED)
    traces = joined.split(b"\n")
    if len(traces) != len(texts):  # a line break inside a text
        return [trace for text in texts for trace in answer_traces([text.replace("\n", " ")])]
    return traces


@dataclass(frozen=True)
class Vocabulary:
    """The official dictionary: the specials, then words by falling count, ties by the word.

    `counts[i]` is how often `words[i]` was seen; 0 for the specials. `index` finds the column of
    a word in a row of probabilities.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {word: place for place, word in enumerate(self.words)})
        if len(self.counts) != len(self.words) or len(self.index) != len(self.words):
            raise UsageError("a dictionary needs one count per word and no word twice")
        if self.words[: len(SPECIALS)] != SPECIALS:
            raise UsageError(f"a dictionary begins with {', '.join(SPECIALS)}")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    @property
    def sha256(self) -> str:
        """The name of this dictionary: sha256 of the bytes of `to_tsv()`, 64 hex digits."""
        return hashlib.sha256(self.to_tsv().encode("utf-8")).hexdigest()

    @classmethod
    def build(cls, train: Iterable[Dialogue], valid: Iterable[Dialogue] = ()) -> "Vocabulary":
        """The dictionary of a competition by ConvAI2's rule.

        Counted are all lines and all replies of `train`, and the lines of `valid` without its
        replies (a quirk of the original, kept). A line is what the partner said (`__SILENCE__`
        included) or a persona sentence with its mark, `your persona:` or `partner's persona:`.
        Candidates are never counted.
        """
        counts: Counter[str] = Counter()
        for dialogue in train:
            counts.update(_words(_lines(dialogue)))
            counts.update(_words(_replies(dialogue)))
        for dialogue in valid:
            counts.update(_words(_lines(dialogue)))
        return cls.from_counts(counts)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> "Vocabulary":
        """The dictionary of these word counts; a word spelled like a special is that special."""
        words = sorted(counts.keys() - set(SPECIALS), key=lambda word: (-counts[word], word))
        return cls(
            words=(*SPECIALS, *words),
            counts=(*(0 for _ in SPECIALS), *(counts[word] for word in words)),
        )

    def to_tsv(self) -> str:
        """One `word<TAB>count` a line, as the original writes it; specials with its huge counts."""
        return "".join(
            f"{word}\t{_SPECIAL_COUNT - place if place < len(SPECIALS) else count}\n"
            for place, (word, count) in enumerate(zip(self.words, self.counts, strict=True))
        )

    @classmethod
    def from_tsv(cls, text: str, *, name: str = "dictionary") -> "Vocabulary":
        """The dictionary that `to_tsv` wrote; a bad line is a `UsageError` with its number."""
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        rows = [_row(line, place=f"{name}:{number}") for number, line in enumerate(lines, 1)]
        for number, (before, after) in enumerate(pairwise(rows), 2):
            if (-before[1], before[0]) >= (-after[1], after[0]):
                raise UsageError(
                    f"{name}:{number}: {after[0]!r} does not stand in order (falling count, then "
                    "the word) or stands twice; make the file with `rostrum admin data dictionary`"
                )
        words = tuple(word for word, _ in rows)
        if words[: len(SPECIALS)] != SPECIALS:
            raise UsageError(f"{name}:1: a dictionary begins with {', '.join(SPECIALS)}")
        return cls(
            words, tuple(0 if place < len(SPECIALS) else row[1] for place, row in enumerate(rows))
        )

    @classmethod
    def load(cls, path: Path | str) -> "Vocabulary":
        """The dictionary in a file."""
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_DICTIONARY_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read the dictionary {path}: {error.strerror}") from error
        if len(content) > MAX_DICTIONARY_BYTES:
            raise UsageError(f"{path}: a dictionary is at most {MAX_DICTIONARY_BYTES} bytes")
        try:
            return cls.from_tsv(content.decode("utf-8"), name=str(path))
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise UsageError(f"{path}:{line}: not UTF-8") from error

    def save(self, path: Path | str) -> None:
        """Write the dictionary to a file."""
        Path(path).write_bytes(self.to_tsv().encode("utf-8"))


def _lines(dialogue: Dialogue) -> Iterator[str]:
    for sentence in dialogue.persona:
        yield OWN_PERSONA + sentence
    for sentence in dialogue.partner_persona:
        yield PARTNER_PERSONA + sentence
    for example in dialogue.examples:
        yield from example.partner


def _replies(dialogue: Dialogue) -> Iterator[str]:
    for example in dialogue.examples:
        yield from example.replies


def _words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from split_words(text)


def _row(line: str, *, place: str) -> tuple[str, int]:
    fields: Sequence[str] = line.split("\t")
    if len(fields) != 2:
        raise UsageError(f"{place}: {len(fields)} fields where word<TAB>count is expected")
    word, count = fields
    if not word or word.split() != [word]:
        raise UsageError(f"{place}: {word!r} is not a word")
    if not (count.isascii() and count.isdigit() and len(count) <= 15):
        raise UsageError(f"{place}: the count {count[:20]!r} is not a whole number")
    return word, int(count)
