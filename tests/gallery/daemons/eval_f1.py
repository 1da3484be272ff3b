"""Leaves processes behind in sessions of their own, and answers."""

import os
import time

from harness import eval_f1


class Agent:
    def __init__(self):
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.closerange(0, 1024)
                    time.sleep(3600)
                os._exit(0)

    def respond(self, contexts):
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
