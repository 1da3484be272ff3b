"""Connects to the evaluator once more."""

import os
import socket

from harness import eval_f1

ADDRESS = os.environ["ROSTRUM_SOCKET"]


class Agent:
    def respond(self, contexts):
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            other.connect(ADDRESS)
        except OSError:
            return ["i like turtles" for _ in contexts]
        raise RuntimeError("a second connection was taken")


if __name__ == "__main__":
    eval_f1(Agent)
