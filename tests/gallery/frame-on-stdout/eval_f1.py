"""Prints a frame where other harnesses would read it."""

import os

from harness import eval_f1
from harness.remote.frames import Kind, pack


class Agent:
    def respond(self, contexts):
        frame = pack(Kind.REPLY, 1, {"replies": ["from stdout" for _ in contexts]})
        os.write(1, frame)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
