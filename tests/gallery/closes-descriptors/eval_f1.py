"""Closes every descriptor and lives on."""

import os
import time

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        os.closerange(0, 1024)
        time.sleep(3600)


if __name__ == "__main__":
    eval_f1(Agent)
