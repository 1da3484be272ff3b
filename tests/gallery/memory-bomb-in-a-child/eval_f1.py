"""A child takes memory without end; the parent answers."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        child = os.fork()
        if child == 0:
            hoard = []
            try:
                while True:
                    hoard.append(b"x" * (128 << 20))
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
