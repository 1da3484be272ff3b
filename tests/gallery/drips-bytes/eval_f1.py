"""One byte of a good reply every 0.2 s."""

import time

from harness import eval_f1
from harness.remote.frames import HEADER, Kind, dumps
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        text = dumps({"replies": ["i like turtles" for _ in contexts]})
        head = HEADER.pack(b"RSTR", 1, Kind.REPLY, 0, current()._sequence, len(text), 0)
        for byte in head + text:
            current()._link._socket.sendall(bytes([byte]))
            time.sleep(0.2)
        return []


if __name__ == "__main__":
    eval_f1(Agent)
