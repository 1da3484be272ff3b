from agent import Agent

from harness import eval_ppl

if __name__ == "__main__":
    eval_ppl(Agent)
