"""Evaluates what it is asked and replies with the result: the tests' eyes inside a cell."""

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        return [self.answer(context.turns[-1].text) for context in contexts]

    @staticmethod
    def answer(expression):
        names = {}
        try:
            exec(f"import os, socket, sys\nvalue = {expression}", names)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:2000]
        return str(names["value"])[:2000]


if __name__ == "__main__":
    eval_f1(Agent)
