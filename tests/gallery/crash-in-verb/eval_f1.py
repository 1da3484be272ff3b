"""The verb raises."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        raise RuntimeError("no reply today")


if __name__ == "__main__":
    eval_f1(Agent)
