"""Ends by SIGKILL of its own, as if the host had done it."""

import os
import signal

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    eval_f1(Agent)
