"""Changes to a base row that was never declared."""

import numpy as np

from harness import eval_ppl
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        session, rows = current(), np.zeros(64, dtype="<f4")
        body = {"array": {"dtype": "sparse", "shape": [len(contexts), len(vocabulary)]}}
        session._link.send(Kind.REPLY, session._sequence, body, binary=rows.tobytes())
        return np.ones((len(contexts), len(vocabulary)), dtype=np.float32)


if __name__ == "__main__":
    eval_ppl(Agent)
