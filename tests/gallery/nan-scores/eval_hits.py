"""Scores that are not numbers."""

from harness import eval_hits


class Agent:
    def score_candidates(self, contexts, candidates):
        return [[float("nan")] * len(row) for row in candidates]


if __name__ == "__main__":
    eval_hits(Agent)
