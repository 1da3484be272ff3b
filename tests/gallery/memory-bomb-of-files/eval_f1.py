"""Hoards files in memory, each as large as a file may be."""

import contextlib
import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for number in range(256):
            file = os.memfd_create(str(number))
            with contextlib.suppress(OSError):
                for _ in range(8):
                    os.write(file, b"x" * (1 << 20))
        raise RuntimeError("2 GiB were granted")


if __name__ == "__main__":
    eval_f1(Agent)
