"""Talk to the agent in a terminal."""

from agent import MemoryAgent

from harness import interactive

if __name__ == "__main__":
    interactive(MemoryAgent)
