"""Forks until it may not, then answers."""

import os
import time

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for _ in range(5000):
            try:
                if os.fork() == 0:
                    time.sleep(3600)
            except OSError:
                break
        else:
            raise RuntimeError("nobody stopped me")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
