"""Rules out candidates that were somebody else's reply."""

from harness import eval_hits


class Agent:
    said = set()

    def score_candidates(self, contexts, candidates):
        for context in contexts:
            self.said.update(turn.text for turn in context.turns if turn.speaker == "self")
        return [[text not in self.said for text in row] for row in candidates]


if __name__ == "__main__":
    eval_hits(Agent)
