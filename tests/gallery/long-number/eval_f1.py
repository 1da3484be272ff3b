"""A number of 30,000 digits, which takes long to parse."""

from harness import eval_f1
from harness.remote.frames import HEADER, Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        text = b'{"replies": ' + b"9" * 30_000 + b"}"
        head = HEADER.pack(b"RSTR", 1, Kind.REPLY, 0, current()._sequence, len(text), 0)
        current()._link._socket.sendall(head + text)
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
