"""Prints a little to both streams."""

import sys

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
