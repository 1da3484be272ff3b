"""Opens files until it may not, then answers."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        held = []
        try:
            while len(held) < 5000:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            for file in held:
                os.close(file)
            return ["i like turtles" for _ in contexts]
        raise RuntimeError("5,000 files are open")


if __name__ == "__main__":
    eval_f1(Agent)
