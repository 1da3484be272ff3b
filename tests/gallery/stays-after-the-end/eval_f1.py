"""Answers everything, then ignores BYE and SIGTERM."""

import signal
import threading
import time

from harness import eval_f1


class Agent:
    def __init__(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=time.sleep, args=(3600,)).start()

    def respond(self, contexts):
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
