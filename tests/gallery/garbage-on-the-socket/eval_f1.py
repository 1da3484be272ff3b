"""Writes noise to every socket it holds."""

import os
import stat

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for descriptor in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    os.write(descriptor, os.urandom(4096))
            except OSError:
                pass
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
