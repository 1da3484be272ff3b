"""Makes a file of a terabyte that holds nothing."""

import contextlib

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for place in ("/tmp", "/dev/shm"):
            with open(f"{place}/large", "wb") as file, contextlib.suppress(OSError):
                file.truncate(1 << 40)
                raise RuntimeError("a terabyte was granted")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
