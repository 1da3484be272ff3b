"""Says HELLO where a reply belongs."""

from harness import eval_f1
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        session = current()
        said = {"protocol": "1.1", "harness": "9.9.9", "build": "0" * 64}
        session._link.send(Kind.HELLO, session._sequence, said)
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
