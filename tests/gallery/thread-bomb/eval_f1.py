"""Starts threads until it may not, then answers."""

import threading
import time

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for _ in range(5000):
            try:
                threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
            except RuntimeError:
                return ["i like turtles" for _ in contexts]
        raise RuntimeError("nobody stopped me")


if __name__ == "__main__":
    eval_f1(Agent)
