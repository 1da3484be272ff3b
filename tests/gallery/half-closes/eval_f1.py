"""Closes its sending half and lives on."""

import socket
import time

from harness import eval_f1
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        current()._link._socket.shutdown(socket.SHUT_WR)
        time.sleep(3600)


if __name__ == "__main__":
    eval_f1(Agent)
