"""Enter the f1 track; run by hand, score the agent on the public validation split."""

from agent import Seq2SeqAgent

from harness import eval_f1

if __name__ == "__main__":
    eval_f1(Seq2SeqAgent)
