"""Prints without end."""

import sys

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        while True:
            sys.stderr.write("all work and no play " * 1000)


if __name__ == "__main__":
    eval_f1(Agent)
