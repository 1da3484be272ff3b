"""Enter the f1 track; run by hand, score the agent on the public validation split."""

from agent import ConstantAgent

from harness import eval_f1

if __name__ == "__main__":
    eval_f1(ConstantAgent)
