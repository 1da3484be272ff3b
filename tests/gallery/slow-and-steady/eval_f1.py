"""Just under every batch limit."""

import time

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        time.sleep(0.6)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
