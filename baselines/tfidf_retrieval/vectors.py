"""TF-IDF: texts as weights by word, and an index that finds what is like a text among many.

A word weighs ln((1 + texts) / (1 + texts with it)), once a text; vectors have length 1. A word
that no text had weighs most: two texts that share it are likely about the same thing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.text import split_words

Vector = Mapping[str, float]


class Weigher:
    """Makes texts vectors by how rare their words are among the texts that it has seen."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.count = 0
        self.seen: Counter[str] = Counter()
        for text in texts:
            self.count += 1
            self.seen.update(set(split_words(text)))

    def vector(self, text: str) -> Vector:
        """The words of a text with their weights; without a word that weighs, nothing."""
        words = dict.fromkeys(split_words(text))  # in the order of the text, so sums repeat
        return unit({w: math.log((1 + self.count) / (1 + self.seen[w])) for w in words})


def unit(vector: Vector) -> Vector:
    """The vector at length 1, without words that weigh nothing."""
    length = math.sqrt(sum(value * value for value in vector.values()))
    return {word: value / length for word, value in vector.items() if value}


def joined(one: Vector, other: Vector, *, weight: float) -> Vector:
    """`one` and a share of the other, at length 1."""
    return unit({w: one.get(w, 0) + weight * other.get(w, 0) for w in {**one, **other}})


def product(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of length 1."""
    return sum(value * other[word] for word, value in one.items() if word in other)


class Index:
    """Many vectors, by word: for each word the rows that have it, and its weight there."""

    def __init__(self, vectors: Sequence[Vector]) -> None:
        self.rows = len(vectors)
        self.places = {w: i for i, w in enumerate(dict.fromkeys(w for v in vectors for w in v))}
        words = np.array([self.places[w] for v in vectors for w in v], dtype=np.int64)
        order = np.argsort(words, kind="stable")
        rows = np.repeat(np.arange(self.rows), [len(vector) for vector in vectors])
        self.row = rows[order]
        self.weight = np.array([x for v in vectors for x in v.values()], dtype=np.float64)[order]
        self.start = np.searchsorted(words[order], np.arange(len(self.places) + 1))

    def products(self, vector: Vector) -> NDArray[np.float64]:
        """The cosine of a vector with every row, `[rows]`."""
        found = np.zeros(self.rows)
        for word, weight in vector.items():
            if (place := self.places.get(word)) is not None:
                part = slice(self.start[place], self.start[place + 1])
                found[self.row[part]] += weight * self.weight[part]  # a row has a word once
        return found
