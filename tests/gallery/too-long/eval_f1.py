"""A reply of 10 MB."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        return ["x" * 10_000_000 for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
