"""Puts what it was shown into the FAIL frame, to be read in the verdict."""

from harness import eval_f1
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def respond(self, contexts):
        session = current()
        shown = contexts[0].turns[-1].text
        session._link.send(Kind.FAIL, session._sequence, {"hint": shown, "detail": shown})
        return ["and an answer" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
