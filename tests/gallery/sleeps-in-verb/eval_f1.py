"""Never answers."""

import time

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        time.sleep(3600)


if __name__ == "__main__":
    eval_f1(Agent)
