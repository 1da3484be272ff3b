"""An honest agent for all three tracks, without any package but numpy."""

import numpy as np


class Agent:
    def respond(self, contexts):
        return [f"i like {context.turns[-1].text}" for context in contexts]

    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in row] for row in candidates]

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        rows = np.ones((len(contexts), len(vocabulary)), dtype=np.float32)
        for row, prefix in zip(rows, prefixes, strict=True):
            row[: len(prefix) + 5] += 3
        return rows
