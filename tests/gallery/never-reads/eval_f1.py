"""Says it is ready and reads nothing of a request that is larger than any buffer."""

import time

from harness import eval_f1
from harness.remote.frames import Kind
from harness.remote.session import current


class Agent:
    def __init__(self):
        current()._link.send(Kind.READY, 0, {})
        time.sleep(3600)


if __name__ == "__main__":
    eval_f1(Agent)
