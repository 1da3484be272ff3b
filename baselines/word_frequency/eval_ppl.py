"""Enter the ppl track; run by hand, score the agent on the public validation split."""

from agent import make_agent

from harness import eval_ppl

if __name__ == "__main__":
    eval_ppl(make_agent)
