"""A reply that brings keys nobody asked for."""

from harness import eval_f1
from harness.remote.frames import HEADER, Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        text = b'{"replies": ["a", "b", "c"], "score": 1.0, "f1": 1.0}'
        head = HEADER.pack(b"RSTR", 1, Kind.REPLY, 0, current()._sequence, len(text), 0)
        current()._link._socket.sendall(head + text)
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
