"""Signals every process that it can see."""

import os
import signal

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        try:
            os.kill(-1, signal.SIGKILL)
        except OSError:
            pass
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
