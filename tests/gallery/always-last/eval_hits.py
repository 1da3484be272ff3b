"""Always the last candidate, where the reply once stood: worth chance."""

from harness import eval_hits


class Agent:
    def score_candidates(self, contexts, candidates):
        return [list(range(len(row))) for row in candidates]


if __name__ == "__main__":
    eval_hits(Agent)
