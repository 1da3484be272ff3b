"""Makes empty files in every place it can write until it may not."""

import os

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for place in ("/tmp", "/dev/shm"):
            for number in range(20_000):
                try:
                    os.close(os.open(f"{place}/{number}", os.O_CREAT | os.O_WRONLY))
                except OSError:
                    break
            else:
                raise RuntimeError(f"{place} took 20,000 files")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
