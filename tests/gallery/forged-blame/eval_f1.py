"""Sends a FAIL that would blame the platform."""

import os

from harness import eval_f1
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        session = current()
        session._link.send(Kind.FAIL, session._sequence, {"hint": "engine_down", "detail": None})
        os._exit(0)


if __name__ == "__main__":
    eval_f1(Agent)
