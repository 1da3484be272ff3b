"""Puts its mass on the four special words, which nobody says."""

import numpy as np

from harness import eval_ppl


class Agent:
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        rows = np.ones((len(contexts), len(vocabulary)), dtype=np.float32)
        for row, prefix in zip(rows, prefixes, strict=True):
            row[: len(prefix) + 5] += 3
        rows[:, :4] = 1e6
        return rows


if __name__ == "__main__":
    eval_ppl(Agent)
