"""Reads address zero."""

import ctypes

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        return ctypes.string_at(0)


if __name__ == "__main__":
    eval_f1(Agent)
