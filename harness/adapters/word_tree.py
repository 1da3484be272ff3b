"""The official words as a tree of bytes, and where each sub-word piece leads in it.

A piece is walked byte by byte from a place in the tree. Spaces before a word are passed over. The
walk ends *inside* (the word may go on: another place), *closed* (a boundary came: the word is
known), or *outside* (no official word begins so). A boundary is white space, one of `. , ; : ! ?`
(the official split sets them apart; each is a word by itself) or the end of the text. Pieces are
lower-cased as the official split does it, for ASCII letters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.text import SPECIALS, Vocabulary

ROOT = 0
"""The place before a word."""

_SPACE = frozenset(b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f")
_APART = frozenset(b".,;:!?")
_BOUNDARY = _SPACE | _APART


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the pieces lead from one place.

    `inside[i]` leads to place `places[i]`; `closing[i]` ends the word of column `words[i]`.
    """

    inside: NDArray[np.int64]
    places: NDArray[np.int64]
    closing: NDArray[np.int64]
    words: NDArray[np.int64]


class WordTree:
    """The tree of one vocabulary for the pieces of one tokenizer.

    Columns are those of the vocabulary. `low[place]:high[place]` are the words below a place, as
    a range of `order` (columns in the order of their bytes); `word[place]` is the column of the
    word that ends there, or -1. `boundaries` are the pieces that close a word that is complete.
    """

    def __init__(
        self, vocabulary: Vocabulary, pieces: Sequence[bytes | None], *, ends: Sequence[int]
    ) -> None:
        """`pieces`: the bytes of each piece, None for special ones, of which `ends` end a text."""
        self.vocabulary = vocabulary
        self._pieces = pieces
        self._ends = sorted(set(ends))
        self._children: list[dict[int, int]] = [{}]
        self._moves: dict[int, Moves] = {}
        self._build()
        self._begin = _Begin()
        for number, piece in enumerate(pieces):
            if piece:
                self._begin.add(piece.lower(), number)
        first = [number for number, piece in enumerate(pieces) if piece and piece[0] in _BOUNDARY]
        self.boundaries: NDArray[np.int64] = np.array([*first, *self._ends], dtype=np.int64)

    def moves(self, place: int) -> Moves:
        """The moves from a place; found once, then remembered."""
        if place not in self._moves:
            found = self._from_root() if place == ROOT else self._from_within(place)
            self._moves[place] = _sorted_moves(found)
        return self._moves[place]

    def _build(self) -> None:
        """Insert the words in the order of their bytes, so that those below a place are a range."""
        vocabulary = self.vocabulary
        words = sorted(
            (word.encode("utf-8"), column)
            for column, word in enumerate(vocabulary.words)
            if column >= len(SPECIALS) and _reachable(word)
        )
        self.order = np.array([column for _, column in words], dtype=np.int64)
        low, high, ends = [0], [len(words)], [-1]
        for rank, (word, column) in enumerate(words):
            place = ROOT
            for byte in word:
                children = self._children[place]
                if byte not in children:
                    children[byte] = len(low)
                    self._children.append({})
                    low.append(rank)
                    high.append(rank)
                    ends.append(-1)
                place = children[byte]
                high[place] = rank + 1
            ends[place] = column
        self.low, self.high = np.array(low, dtype=np.int64), np.array(high, dtype=np.int64)
        self.word = np.array(ends, dtype=np.int64)
        counts = np.array(vocabulary.counts, dtype=np.float64)[self.order] + 1.0
        self.usual = counts
        self._sums = np.concatenate([[0.0], np.cumsum(counts)])

    def usual_below(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """How often the words below each place were counted, float64, always positive."""
        sums: NDArray[np.float64] = self._sums[self.high[places]] - self._sums[self.low[places]]
        return sums

    def _from_root(self) -> Iterator[tuple[int, int, bool]]:
        for number, piece in enumerate(self._pieces):
            if piece:
                yield from ((number, *end) for end in self._walk(piece.lower()))

    def _walk(self, piece: bytes) -> Iterator[tuple[int, bool]]:
        """Where a piece leads from the root: (place, False) or (column, True), or nowhere."""
        place = ROOT
        for byte in piece:
            if byte in _BOUNDARY and place != ROOT:
                break
            if byte in _SPACE:
                continue
            after = self._children[place].get(byte)
            if after is None:
                return
            place = after
            if byte in _APART:
                break
        else:
            yield place, False
            return
        if self.word[place] >= 0:
            yield int(self.word[place]), True

    def _from_within(self, place: int) -> Iterator[tuple[int, int, bool]]:
        """Follow the tree of words and the tree of pieces together."""
        waiting = [(place, self._begin)]
        while waiting:
            here, begun = waiting.pop()
            for byte, further in begun.further.items():
                if byte in _BOUNDARY:
                    if here != place and self.word[here] >= 0:
                        word = int(self.word[here])
                        yield from ((number, word, True) for number in further.all())
                    continue
                after = self._children[here].get(byte)
                if after is not None:
                    yield from ((number, after, False) for number in further.pieces)
                    waiting.append((after, further))


class _Begin:
    """The pieces that begin alike: `pieces` end here, `further` go on by a byte."""

    __slots__ = ("further", "pieces")

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.further: dict[int, _Begin] = {}

    def add(self, piece: bytes, number: int) -> None:
        here = self
        for byte in piece:
            here = here.further.setdefault(byte, _Begin())
        here.pieces.append(number)

    def all(self) -> Iterator[int]:
        """Every piece that begins so."""
        waiting = [self]
        while waiting:
            here = waiting.pop()
            yield from here.pieces
            waiting.extend(here.further.values())


def _reachable(word: str) -> bool:
    """Whether the official split gives this word at all: it may stand apart, or holds no mark."""
    data = word.encode("utf-8")
    return len(data) == 1 or not _BOUNDARY.intersection(data)


def _sorted_moves(found: Iterator[tuple[int, int, bool]]) -> Moves:
    ends = list(found)
    inside = sorted((number, place) for number, place, closed in ends if not closed)
    closing = sorted((number, word) for number, word, closed in ends if closed)
    columns = [
        np.array([pair[side] for pair in pairs], dtype=np.int64)
        for pairs in (inside, closing)
        for side in (0, 1)
    ]
    return Moves(*columns)
