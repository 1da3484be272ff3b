"""The agents of the recorded sessions; what they answer hangs on what they are asked alone."""

import numpy as np

from harness.rows import SparseRows


class Plain:
    """All three verbs, dense rows."""

    def respond(self, contexts):
        return [f"{context.turns[-1].text} \u2019 \U0001f600" for context in contexts]

    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in texts] for texts in candidates]

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        rows = np.ones((len(contexts), len(vocabulary)), np.float32)
        for row, prefix in zip(rows, prefixes, strict=True):
            row[4 + len(prefix) % 2] = 2.5
        return rows


class Sparse(Plain):
    """The same rows as changes to a row of ones."""

    def base_row(self, vocabulary):
        return np.ones(len(vocabulary), np.float32)

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        count = len(contexts)
        return SparseRows(
            starts=np.arange(count + 1, dtype=np.int64),
            columns=np.array([4 + len(prefix) % 2 for prefix in prefixes], np.int32),
            weights=np.full(count, 2.5, np.float32),
        )


class Crowded(Sparse):
    """Sparse rows that change so much that they are sent dense."""

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        count, words = len(contexts), len(vocabulary)
        return SparseRows(
            starts=np.arange(count + 1, dtype=np.int64) * words,
            columns=np.tile(np.arange(words, dtype=np.int32), count),
            weights=np.full(count * words, 0.5, np.float32),
        )


class FailsToBuild:
    """Raises when it is built."""

    def __init__(self):
        raise ValueError("no weights")


class FailsToAnswer(Plain):
    """Raises in a verb."""

    def respond(self, contexts):
        raise KeyError("a word")


class SaysTooMuch(Plain):
    """A reply of more than 2 KiB."""

    def respond(self, contexts):
        return ["x" * 3000] * len(contexts)


class BadBase(Sparse):
    """Declares a base row with a negative weight."""

    def base_row(self, vocabulary):
        return np.full(len(vocabulary), -1, np.float32)


class BadChanges(Sparse):
    """Changes one word twice."""

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return SparseRows(
            starts=np.array([0, *[2] * len(contexts)], np.int64),
            columns=np.array([5, 5], np.int32),
            weights=np.ones(2, np.float32),
        )
