"""Prints what it was shown in a hidden run."""

import sys

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        shown = contexts[0].turns[-1].text
        print(shown, file=sys.stderr)
        sys.stdout.write(shown)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
