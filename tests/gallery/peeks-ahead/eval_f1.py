"""Looks into the socket for the next request before it answers this one."""

import socket

from harness import eval_f1
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        try:
            ahead = current()._link._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ["i like turtles" for _ in contexts]
        raise RuntimeError(f"the future is here: {ahead}")


if __name__ == "__main__":
    eval_f1(Agent)
