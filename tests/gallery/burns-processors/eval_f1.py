"""Twenty processes compute for nothing while it answers."""

import os

from harness import eval_f1


class Agent:
    def __init__(self):
        for _ in range(20):
            if os.fork() == 0:
                while True:
                    pass

    def respond(self, contexts):
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
