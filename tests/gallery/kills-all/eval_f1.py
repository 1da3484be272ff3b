"""Signals every process that it can see."""

import contextlib
import os
import signal

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
