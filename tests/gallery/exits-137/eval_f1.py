"""Exits with the status of a kill for memory, hoping for a free retry."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        os._exit(137)


if __name__ == "__main__":
    eval_f1(Agent)
