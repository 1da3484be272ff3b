"""Sends the same reply twice."""

from harness import eval_f1
from harness.remote.frames import Kind, pack
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        session = current()
        reply = pack(Kind.REPLY, session._sequence, {"replies": ["twice" for _ in contexts]})
        session._link._socket.sendall(reply + reply)
        return ["and again" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
