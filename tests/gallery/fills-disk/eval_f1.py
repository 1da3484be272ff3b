"""Fills every place it can write, then answers."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for folder in ("/tmp", "/dev/shm", "/", "/code", "/run/rostrum", "/opt/env", "/dev", "/var/tmp"):
            try:
                with open(os.path.join(folder, "filler"), "wb") as file:
                    for _ in range(4096):
                        file.write(b"x" * (1 << 20))
                    raise SystemExit(f"{folder} took 4 GB")
            except OSError:
                pass
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
