"""Ignores SIGTERM and stops."""

import os
import signal

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGSTOP)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
