from agent import Agent

from harness import eval_f1

if __name__ == "__main__":
    eval_f1(Agent)
