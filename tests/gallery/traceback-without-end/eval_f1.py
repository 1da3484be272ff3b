"""Raises an error that never finishes saying what it is."""

import time

from harness import eval_f1


class EndlessError(Exception):
    def __str__(self):
        while True:
            time.sleep(1)


class Agent:
    def respond(self, contexts):
        raise EndlessError


if __name__ == "__main__":
    eval_f1(Agent)
