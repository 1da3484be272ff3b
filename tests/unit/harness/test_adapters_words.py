"""Sub-word pieces summed into official words, against brute force over every sequence of pieces."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.adapters.word_mass import Path, Search, word_masses
from harness.adapters.word_tree import ROOT, WordTree
from harness.text import Vocabulary, split_words

PIECES: tuple[bytes | None, ...] = (
    b" a", b" b", b"a", b"b", b"ab", b" AB", b"b.", b".", b"ba c", b"\n", None, b" c?", b"", b" "
)  # fmt: skip
END = 10
WORDS = ("a", "b", "ab", "aba", "bab", ".", "?", "ca", "never")
VOCABULARY = Vocabulary.from_counts({word: 20 - place for place, word in enumerate(WORDS)})
TREE = WordTree(VOCABULARY, PIECES, ends=[END])
LONGEST = 4


class Chances:
    """A model made of a table: the next piece hangs on the last two; no probability is zero.

    `lone` is whether a piece that is a mere space may come: with it there is no end to the
    sequences before a word.
    """

    def __init__(self, seed: int, *, lone: bool = False) -> None:
        rng = np.random.default_rng(seed)
        table = rng.dirichlet(np.full(len(PIECES), 0.7), size=(len(PIECES) + 1) ** 2)
        table[:, [12] if lone else [9, 12, 13]] = 0.0
        self.table: NDArray[np.float64] = table / table.sum(axis=1, keepdims=True)
        self.calls = 0

    def after(self, path: Sequence[int]) -> NDArray[np.float64]:
        last = [len(PIECES), len(PIECES), *path][-2:]
        return self.table[last[0] * (len(PIECES) + 1) + last[1]]

    def go_on(self, rows: Sequence[int], paths: Sequence[Path]) -> NDArray[np.float64]:
        self.calls += 1
        assert len({len(path) for path in paths}) == 1
        return np.stack([self.after(path) for path in paths])


def brute_force(model: Chances) -> dict[str, float]:
    """The first official word of every sequence that closes one, by the official split itself."""
    masses = dict.fromkeys(VOCABULARY.words, 0.0)

    def closed(text: str) -> bool:
        return re.match(r"\s*([.,;:!?]|[^\s.,;:!?]+[\s.,;:!?])", text) is not None

    def follow(path: Path, text: str, mass: float) -> None:
        for piece, chance in enumerate(model.after(path).tolist()):
            if chance == 0.0:
                continue
            data = PIECES[piece]
            longer = text + ("" if data is None else data.decode())
            if data is None or closed(longer):
                words = split_words(longer)
                if words and words[0] in masses:
                    masses[words[0]] += mass * chance
            elif len(path) + 1 < LONGEST and any(
                word.startswith(longer.strip().lower()) for word in WORDS
            ):
                follow((*path, piece), longer, mass * chance)

    follow((), "", 1.0)
    return masses


def masses_of(model: Chances, search: Search) -> NDArray[np.float64]:
    return word_masses(TREE, model.after(())[None], model.go_on, search=search)[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_an_unbounded_search_is_exact(seed: int) -> None:
    model = Chances(seed)

    found = masses_of(model, Search(least=0.0, widest=10_000, longest=LONGEST))

    # no word has more than three letters, so each is closed by the fourth piece
    wanted = [brute_force(model)[word] for word in VOCABULARY.words]
    assert found == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_spaces_before_a_word_are_passed_over(seed: int) -> None:
    model = Chances(seed, lone=True)

    found = masses_of(model, Search(least=1e-9, widest=10_000, longest=40))

    partial = np.array([brute_force(model)[word] for word in VOCABULARY.words])
    assert (found >= partial - 1e-9).all()  # brute force stops early: what it lacks is spaces
    assert found.sum() <= 1 + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.05, 0.01, 0.001]))
def test_a_bounded_search_only_moves_what_it_does_not_follow(seed: int, least: float) -> None:
    model = Chances(seed)

    found = masses_of(model, Search(least=least))

    exact = np.array([brute_force(model)[word] for word in VOCABULARY.words])
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9
    assert np.abs(found - exact).sum() <= 2 * least * 200


def test_finer_search_comes_closer() -> None:
    model = Chances(3)
    exact = np.array([brute_force(model)[word] for word in VOCABULARY.words])

    errors = [
        float(np.abs(masses_of(model, Search(least=least)) - exact).sum())
        for least in (0.5, 0.05, 0.005, 0.0005)
    ]

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01


def test_a_boundary_keeps_a_word_from_holding_what_begins_with_it() -> None:
    pieces: tuple[bytes | None, ...] = (b" car", b"pet", b" is", None)
    tree = WordTree(Vocabulary.from_counts({"car": 1, "carpet": 1}), pieces, ends=[3])
    table = {(): [1.0, 0, 0, 0], (0,): [0, 0.9, 0.1, 0], (0, 1): [0, 0, 0, 1.0]}

    def go_on(rows: Sequence[int], paths: Sequence[Path]) -> NDArray[np.float64]:
        return np.array([table[path] for path in paths])

    row = word_masses(tree, np.array([table[()]]), go_on, search=Search(least=0.0))[0]

    assert row[tree.vocabulary.index["car"]] == pytest.approx(0.1)
    assert row[tree.vocabulary.index["carpet"]] == pytest.approx(0.9)


def test_what_is_not_followed_is_shared_by_how_usual_the_words_are() -> None:
    pieces: tuple[bytes | None, ...] = (b" do", b"g", b"ts")
    vocabulary = Vocabulary.from_counts({"dog": 8, "dots": 2, "tea": 5})
    tree = WordTree(vocabulary, pieces, ends=[])

    row = word_masses(tree, np.array([[1.0, 0, 0]]), no_model, search=Search(longest=1))[0]

    assert row[vocabulary.index["dog"]] == pytest.approx(9 / 12)
    assert row[vocabulary.index["dots"]] == pytest.approx(3 / 12)
    assert row[vocabulary.index["tea"]] == 0


def test_at_most_the_widest_are_followed_of_each_text() -> None:
    asked: list[int] = []
    model = Chances(1)

    def go_on(rows: Sequence[int], paths: Sequence[Path]) -> NDArray[np.float64]:
        asked.extend(rows)
        assert max(rows.count(row) for row in rows) <= 2
        return model.go_on(rows, paths)

    first = np.stack([model.after(()), model.after((0,))])
    found = word_masses(TREE, first, go_on, search=Search(least=0.0, widest=2, longest=3))

    assert set(asked) == {0, 1}
    assert (found.sum(axis=1) <= 1 + 1e-9).all()


def no_model(rows: Sequence[int], paths: Sequence[Path]) -> NDArray[np.float64]:
    raise AssertionError("nothing is to be followed")


def moves(place: int) -> Iterator[tuple[bytes | None, str]]:
    found = TREE.moves(place)
    for piece, target in zip(found.inside.tolist(), found.places.tolist(), strict=True):
        yield PIECES[piece], f"at {target}"
    for piece, word in zip(found.closing.tolist(), found.words.tolist(), strict=True):
        yield PIECES[piece], VOCABULARY.words[word]


def test_pieces_that_hold_a_boundary_close_a_word_at_once() -> None:
    closing = {piece: word for piece, word in moves(ROOT) if not word.startswith("at ")}

    # " c?" is no word of the vocabulary, and "ba c" is "ba", which is none either
    assert closing == {b"b.": "b", b".": "."}


def test_letters_are_folded_and_mere_spaces_lead_back() -> None:
    inside = {piece: word for piece, word in moves(ROOT) if word.startswith("at ")}

    assert inside[b" AB"] == inside[b"ab"]
    assert inside[b" "] == inside[b"\n"] == f"at {ROOT}"
    assert b"" not in inside


def test_words_that_the_official_split_cannot_give_have_no_mass() -> None:
    odd = Vocabulary.from_counts({"a.b": 5, "ok": 1})
    tree = WordTree(odd, (b" a.b", b" ok", b" "), ends=[])

    row = word_masses(tree, np.array([[0.5, 0.5, 0.0]]), no_model, search=Search(longest=1))[0]

    assert row.tolist() == [0.0] * 4 + [0.0, 0.5]


def test_no_texts_have_no_rows() -> None:
    assert word_masses(TREE, np.zeros((0, 14)), no_model, search=Search()).shape == (0, 13)
