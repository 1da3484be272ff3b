"""Fills every place it can write, then answers."""

import contextlib
from pathlib import Path

from harness import eval_f1

PLACES = ("/tmp", "/dev/shm", "/", "/code", "/run/rostrum", "/opt/env", "/dev", "/var/tmp")


class Agent:
    def respond(self, contexts):
        for place in PLACES:
            with contextlib.suppress(OSError), (Path(place) / "filler").open("wb") as file:
                for _ in range(4096):
                    file.write(b"x" * (1 << 20))
                raise SystemExit(f"{place} took 4 GB")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
