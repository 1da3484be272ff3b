"""Enter the f1 track; run by hand, score the agent on the public validation split."""

from agent import make_agent

from harness import eval_f1

if __name__ == "__main__":
    eval_f1(make_agent)
