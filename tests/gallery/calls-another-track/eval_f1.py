"""Its file for f1 enters hits."""

from harness import eval_f1, eval_hits


class Agent:
    def respond(self, contexts):
        return ["i like turtles" for _ in contexts]


eval_hits(Agent)


if __name__ == "__main__":
    eval_f1(Agent)
