"""Talk to the agent in a terminal."""

from agent import Seq2SeqAgent

from harness import interactive

if __name__ == "__main__":
    interactive(Seq2SeqAgent)
