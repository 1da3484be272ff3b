"""Writes to standard output without end."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        while True:
            os.write(1, b"all work and no play " * 1000)


if __name__ == "__main__":
    eval_f1(Agent)
