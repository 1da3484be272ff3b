"""Talk to the agent in a terminal."""

from agent import make_agent

from harness import interactive

if __name__ == "__main__":
    interactive(make_agent)
