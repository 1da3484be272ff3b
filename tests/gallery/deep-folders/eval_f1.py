"""Folders in folders until a path can no longer be named."""

import contextlib
import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        os.chdir("/tmp")
        with contextlib.suppress(OSError):
            for _ in range(5000):
                os.mkdir("d" * 200)
                os.chdir("d" * 200)
        os.chdir("/")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
