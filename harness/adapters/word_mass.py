"""From the next pieces' probabilities to the next word's: the mass of every official word.

The mass of a word is the probability that the text goes on with it: the sum, over all sequences
of pieces that spell it and are closed by a boundary, of the product of the pieces' probabilities
("car" does not hold the mass of "carpet"). Sequences are followed through the tree of words, all
those of a batch together, as long as their mass is at least `least`; the mass of the others goes
to the words that they may still become, in proportion to how often those were counted. With
`least` zero the sum is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.adapters.word_tree import ROOT, WordTree

Path = tuple[int, ...]
"""Pieces after the text."""

GoOn = Callable[[Sequence[int], Sequence[Path]], NDArray[np.floating]]
"""The probabilities of the next piece `[paths, pieces]` after path i of text `rows[i]`.

All paths of a call are equally long.
"""


@dataclass(frozen=True, slots=True)
class Open:
    """A sequence of pieces that may still become a word: its text's row, where it stands."""

    row: int
    place: int
    path: Path
    mass: float


@dataclass(frozen=True, slots=True)
class Search:
    """How far sequences are followed.

    `least`: the mass below which one is not; `widest`: how many of a text at most, at each
    length; `longest`: how many pieces.
    """

    least: float = 1e-3
    widest: int = 128
    longest: int = 12


def word_masses(
    tree: WordTree, first: NDArray[np.floating], go_on: GoOn, *, search: Search
) -> NDArray[np.float64]:
    """The mass of every word after each text, float64 `[texts, words of the vocabulary]`.

    `first`: the probabilities of the next piece after each text, `[texts, pieces]`. A row sums
    to less than 1 by what leads to no official word: unknown words, or the end of the text.
    """
    masses = np.zeros((len(first), len(tree.vocabulary)))
    shared = np.zeros((len(first), len(tree.order) + 1))
    opened = [Open(row, ROOT, (), 1.0) for row in range(len(first))]
    shares = np.asarray(first, dtype=np.float64)
    while opened:
        found: list[Open] = []
        for one, share in zip(opened, shares, strict=True):
            _close(tree, one, share, masses=masses[one.row])
            found += _followed(tree, one, share, shared=shared[one.row], search=search)
        opened = _widest(tree, found, shared=shared, search=search)
        if opened:
            after = go_on([one.row for one in opened], [one.path for one in opened])
            shares = np.asarray(after, dtype=np.float64)
    rates = np.maximum(np.cumsum(shared, axis=1)[:, :-1], 0.0)  # differences leave rounding errors
    masses[:, tree.order] += tree.usual * rates
    return masses


def _close(
    tree: WordTree, one: Open, share: NDArray[np.float64], *, masses: NDArray[np.float64]
) -> None:
    """Give their mass to the words that the next piece closes."""
    moves = tree.moves(one.place)
    np.add.at(masses, moves.words, one.mass * share[moves.closing])
    word = tree.word[one.place]
    if word >= 0:
        masses[word] += one.mass * share[tree.boundaries].sum()


def _followed(
    tree: WordTree,
    one: Open,
    share: NDArray[np.float64],
    *,
    shared: NDArray[np.float64],
    search: Search,
) -> list[Open]:
    """The sequences one piece longer that are worth following; the others are shared out."""
    moves = tree.moves(one.place)
    mass = one.mass * share[moves.inside]
    follow = (mass > 0) & (mass >= search.least)
    if len(one.path) + 1 >= search.longest:
        follow[:] = False
    _share_out(tree, moves.places[~follow], mass[~follow], shared=shared)
    return [
        Open(one.row, int(moves.places[i]), (*one.path, int(moves.inside[i])), float(mass[i]))
        for i in np.flatnonzero(follow)
    ]


def _widest(
    tree: WordTree, found: list[Open], *, shared: NDArray[np.float64], search: Search
) -> list[Open]:
    """The heaviest `widest` sequences of each text; the others are shared out."""
    kept: list[Open] = []
    counts: dict[int, int] = {}
    for one in sorted(found, key=lambda one: (one.row, -one.mass)):
        counts[one.row] = counts.get(one.row, 0) + 1
        if counts[one.row] <= search.widest:
            kept.append(one)
        else:
            place, mass = np.array([one.place]), np.array([one.mass])
            _share_out(tree, place, mass, shared=shared[one.row])
    return kept


def _share_out(
    tree: WordTree,
    places: NDArray[np.int64],
    mass: NDArray[np.float64],
    *,
    shared: NDArray[np.float64],
) -> None:
    """Spread mass over the words below places; `shared` holds differences, summed at the end."""
    rate = mass / tree.usual_below(places)
    np.add.at(shared, tree.low[places], rate)
    np.subtract.at(shared, tree.high[places], rate)
