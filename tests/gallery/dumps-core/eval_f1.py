"""Asks for a core dump and aborts."""

import contextlib
import os
import resource

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
        os.abort()


if __name__ == "__main__":
    eval_f1(Agent)
