"""Answers one context too few."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        return ["hello" for _ in contexts[1:]]


if __name__ == "__main__":
    eval_f1(Agent)
