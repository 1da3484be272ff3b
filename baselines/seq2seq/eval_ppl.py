"""Enter the ppl track; run by hand, score the agent on the public validation split."""

from agent import Seq2SeqAgent

from harness import eval_ppl

if __name__ == "__main__":
    eval_ppl(Seq2SeqAgent)
