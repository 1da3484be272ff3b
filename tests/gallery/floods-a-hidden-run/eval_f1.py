"""Prints without end where nobody reads: ends with its batch, gone at once."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        while True:
            os.write(2, b"all work and no play " * 1000)


if __name__ == "__main__":
    eval_f1(Agent)
