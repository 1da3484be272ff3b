"""A header that announces 2^62 bytes: refused before anything is allocated."""

from harness import eval_f1
from harness.remote.frames import HEADER, Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        head = HEADER.pack(b"RSTR", 1, Kind.REPLY, 0, current()._sequence, 0, 1 << 62)
        current()._link._socket.sendall(head)
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
