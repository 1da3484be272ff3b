"""Records all it is shown; a word is never there before its row is in."""

import numpy as np

from harness import eval_ppl


class Agent:
    def __init__(self):
        self.seen, self.lengths = set(), {}

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        for context, prefix in zip(contexts, prefixes, strict=True):
            if (known := self.lengths.get(context.id, 0)) < len(prefix):
                if early := self.seen.intersection(prefix[known:]):
                    raise RuntimeError(f"shown before it was scored: {early}")
                self.lengths[context.id] = len(prefix)
        for context, prefix in zip(contexts, prefixes, strict=True):
            self.seen.update(prefix, *(turn.text.split() for turn in context.turns))
        return np.ones((len(contexts), len(vocabulary)), dtype=np.float32)


if __name__ == "__main__":
    eval_ppl(Agent)
