"""Starts a fresh interpreter and has that open a socket, in vain."""

import subprocess
import sys

from harness import eval_f1

TRICK = "import socket; socket.socket(socket.AF_INET); print('opened')"


class Agent:
    def respond(self, contexts):
        tried = subprocess.run([sys.executable, "-c", TRICK], capture_output=True, check=False)
        if b"opened" in tried.stdout or b"PermissionError" not in tried.stderr:
            raise RuntimeError(str(tried))
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
