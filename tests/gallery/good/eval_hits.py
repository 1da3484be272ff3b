from agent import Agent

from harness import eval_hits

if __name__ == "__main__":
    eval_hits(Agent)
