"""The constructor raises."""

from harness import eval_f1


class Agent:
    def __init__(self):
        raise RuntimeError("the weights are missing")


if __name__ == "__main__":
    eval_f1(Agent)
