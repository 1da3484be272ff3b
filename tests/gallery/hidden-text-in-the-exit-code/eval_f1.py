"""Exits with a status made of what it was shown."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        shown = contexts[0].turns[-1].text
        os._exit(1 + sum(shown.encode()) % 100)


if __name__ == "__main__":
    eval_f1(Agent)
