"""Takes memory without end."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        hoard = []
        while True:
            hoard.append(b"x" * (128 << 20))


if __name__ == "__main__":
    eval_f1(Agent)
