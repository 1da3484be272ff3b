"""Replies with numbers."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        return [42 for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
