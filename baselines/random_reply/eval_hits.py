"""Enter the hits track; run by hand, score the agent on the public validation split."""

from agent import make_agent

from harness import eval_hits

if __name__ == "__main__":
    eval_hits(make_agent)
