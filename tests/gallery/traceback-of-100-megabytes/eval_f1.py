"""Raises an error whose text is 100 MB."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        raise RuntimeError("x" * 100_000_000)


if __name__ == "__main__":
    eval_f1(Agent)
