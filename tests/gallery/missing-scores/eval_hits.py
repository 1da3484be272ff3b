"""One score too few."""

from harness import eval_hits


class Agent:
    def score_candidates(self, contexts, candidates):
        return [[0.0] * (len(row) - 1) for row in candidates]


if __name__ == "__main__":
    eval_hits(Agent)
