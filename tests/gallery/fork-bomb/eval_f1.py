"""Every process forks for ever."""

import contextlib
import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        while True:
            with contextlib.suppress(OSError):
                os.fork()


if __name__ == "__main__":
    eval_f1(Agent)
